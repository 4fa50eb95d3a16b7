"""Bytes to Arrow and back: one codec a format, one contract (`contract.py`)."""
