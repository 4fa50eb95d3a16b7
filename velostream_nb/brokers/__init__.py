"""Where records live: `embedded` (memory), `files`; one contract (`contract.py`)."""
