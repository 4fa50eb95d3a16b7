"""Nexmark's queries over JSON lines, each as a job and in DuckDB's batch."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import child, inputs
from benchmarks.plan import Plan
from benchmarks.render import amount, extra
from benchmarks.report import DUCKDB, OURS, Section

WORKER = "benchmarks.workers.nexmark"
ENGINES = {OURS: "stream", DUCKDB: "batch"}


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Each query with each engine in turn, a process each time."""
    section = Section("nexmark", "Nexmark")
    section.notes = [
        f"The queries of sql/nexmark over {plan.events:,} events of JSON lines (up to 2 s out of order), whole "
        "processes, beside DuckDB (one thread) on tests/nexmark/oracle.py over the same files. Answers are compared by "
        "their number of rows here, changelogs after folding (row by row in tests/nexmark)."
    ]
    section.details |= {"own_table": True, "tables": []}
    files = inputs.nexmark(plan.events)
    rows = []
    for number in plan.queries:
        say(f"Nexmark q{number}")
        try:
            rows.append(_query(number, files, plan, section))
        except child.WorkerError as error:
            section.wrong.append(f"q{number}: {error}")
    head = ("query", "rows in", "rows out", "streaming, per CPU-second", "DuckDB batch", "ratio", "peak MB")
    section.details["tables"].append(extra("Rows per CPU-second", head, rows))
    return section


def _query(number: int, files: dict[str, str], plan: Plan, section: Section) -> list[str]:
    done: dict[str, list[child.Outcome]] = {engine: [] for engine in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        outs = {engine: str(Path(folder) / f"{kind}.jsonl") for engine, kind in ENGINES.items()}
        options = {"query": number, "files": files, "batch_rows": plan.batch_rows}
        for _ in range(plan.runs):
            for engine, kind in ENGINES.items():
                done[engine].append(child.run(WORKER, options | {"engine": kind, "out": outs[engine]}))
        ours, theirs = child.run(WORKER, {"query": number, "answers": list(outs.values())}).answer["rows"]
    if ours != theirs:
        section.wrong.append(f"q{number}: {ours:,} rows against {theirs:,} of DuckDB's")
    rates = {engine: [run.answer["rows"] / run.cpu_s for run in runs] for engine, runs in done.items()}
    for engine, runs in rates.items():
        section.add(f"Nexmark q{number}", runs, "rows/CPU-s", more=True, engine=engine)
    stream, batch = (statistics.median(rates[engine]) for engine in ENGINES)
    peak_mb = statistics.median(run.peak_mb for run in done[OURS])
    read = done[OURS][0].answer["rows"]
    cells = [amount(stream, "rows/CPU-s"), amount(batch, "rows/CPU-s"), f"{stream / batch:.2f}", f"{peak_mb:.0f}"]
    return [f"q{number}", f"{read:,}", f"{ours:,}", *cells]
