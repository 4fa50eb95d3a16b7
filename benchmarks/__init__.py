"""Benchmarks: `python -m benchmarks` measures, `python -m benchmarks.check` compares two results. See README.md."""
