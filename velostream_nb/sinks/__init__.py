"""Where output goes besides topics: live frames, files, the dead-letter topic."""
