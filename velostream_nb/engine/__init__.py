"""Plans to incremental operators. Pure: batches and watermarks in, batches out; no threads, sockets or wall clock."""
