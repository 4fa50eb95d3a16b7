"""Made-up results to compare and to render."""

from benchmarks.report import DUCKDB, OURS, Figure, Report, Section

CONDITIONS = {
    "date": "2026-11-23T10:00:00Z", "cpu": "Some CPU", "cores": 2, "memory_gb": 25, "system": "Linux x86_64",
    "kernel": "6.1", "load_before": 0.05, "commit": "abc1234",
}  # fmt: skip
SETTINGS = {"scale": 1.0, "runs": 3, "batch_rows": 50_000, "peers": ["polars"]}
RATE = "five jobs, JSON lines"


def figure(runs, name=RATE, engine=OURS, unit="rows/CPU-s", more=True, least_change=0.05):
    return Figure(name, engine, unit, more, tuple(runs), least_change)


def report(*figures, conditions=None, settings=None, versions=None, wrong=()):
    section = Section("files", "From files", list(figures), wrong=list(wrong))
    return Report(
        CONDITIONS | (conditions or {}), SETTINGS | (settings or {}), versions or {"duckdb": "2.0.0"}, [section]
    )


YARDSTICK = figure([660_000.0, 670_000.0, 680_000.0], engine=DUCKDB)
