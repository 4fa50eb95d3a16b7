"""Where everything meets: the streamz graph of a job, the thread that ticks, sessions, and runs over files."""
