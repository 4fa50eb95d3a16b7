"""The five jobs over Arrow in memory, as multiples of the CPU that DuckDB takes in batch over the same Arrow."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import child, inputs
from benchmarks.plan import Plan
from benchmarks.report import DUCKDB, OURS, Section

SIZES = (50_000, 1_000)
STREAM, BATCH = "benchmarks.workers.arrow_stream", "benchmarks.workers.arrow_duckdb"


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Streaming and batch in turn, for large and for small batches; each ratio is of two runs that followed."""
    section = Section("arrow", "The five jobs, over Arrow in memory")
    section.notes = [
        "CPU seconds of the streaming engine over those of DuckDB (one thread, whole tables) for the same five answers "
        "over the same Arrow, Arrow out; all rows compared. The ratios are of the work alone, from the first batch to "
        "the last row; 'with start' adds what each process takes to start, import and plan."
    ]
    sources = inputs.trading(plan.scale, "parquet")
    rows = sum(inputs.rows_at(plan.scale).values())
    batch: list[child.Outcome] = []
    with tempfile.TemporaryDirectory() as folder:
        right = Path(folder) / DUCKDB
        right.mkdir()
        for size in SIZES:
            pairs = []
            for turn in range(plan.runs):
                say(f"Arrow in batches of {size:,}, run {turn + 1} of {plan.runs}")
                left = Path(folder) / f"{size}"
                left.mkdir(exist_ok=True)
                theirs = child.run(BATCH, {"sources": sources, "out": str(right)})
                ours = child.run(STREAM, {"sources": sources, "batch_rows": size, "out": str(left)})
                pairs.append((ours, theirs))
                batch.append(theirs)
            _compare(size, folder, section)
            _add(size, rows, pairs, section)
    section.add("five jobs, Arrow", [rows / o.answer["run_s"] for o in batch], "rows/CPU-s", more=True, engine=DUCKDB)
    return section


def _compare(size: int, folder: str, section: Section) -> None:
    options = {"left": str(Path(folder) / DUCKDB), "right": str(Path(folder) / str(size))}
    for topic, counts in child.run("benchmarks.workers.compare", options).answer.items():
        if counts["differ"]:
            section.wrong.append(
                f"batches of {size:,}, {topic}: {counts['differ']:,} rows differ of {counts['rows']:,}"
            )


def _add(size: int, rows: int, pairs: list[tuple[child.Outcome, child.Outcome]], section: Section) -> None:
    work = [ours.answer["run_s"] / theirs.answer["run_s"] for ours, theirs in pairs]
    whole = [_whole_s(ours) / _whole_s(theirs) for ours, theirs in pairs]
    section.add(f"CPU ÷ DuckDB's, {size:,}-row batches", work, "", more=False)
    section.add(f"CPU ÷ DuckDB's, {size:,}-row batches, with start", whole, "", more=False)
    tick_ms = [ours.answer["run_s"] / ours.answer["ticks"] * 1e3 for ours, _ in pairs]
    section.add(f"CPU of a tick, {size:,}-row batches", tick_ms, "ms", more=False)
    rates = [rows / ours.answer["run_s"] for ours, _ in pairs]
    section.add(f"five jobs, Arrow, {size:,}-row batches", rates, "rows/CPU-s", more=True, engine=OURS)


def _whole_s(outcome: child.Outcome) -> float:
    """CPU of a process but for reading its input and writing its answers."""
    return outcome.cpu_s - float(outcome.answer["load_s"]) - float(outcome.answer["save_s"])
