"""Peak memory, and what a row costs, as the input grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from benchmarks import child, inputs
from benchmarks.five import ROWS
from benchmarks.plan import Plan
from benchmarks.report import Section

START_ROWS = 1_000
"""A run over so few rows costs what every run costs before its first row."""
STREAM = "benchmarks.workers.files_stream"


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Every size in turn; the start, measured over next to no rows, is taken off the cost of a row."""
    section = Section("memory", "As the input grows")
    section.notes = [
        "The five jobs over Parquet files of so many rows (all topics together), alerts to nowhere; peak memory as the "
        "operating system counts it for the whole process. CPU per row is without the process's start, which is "
        f"measured in the same turn over {START_ROWS:,} rows."
    ]
    sizes = (START_ROWS, *plan.memory_rows)
    files = {rows: inputs.trading(rows / sum(ROWS.values()), "parquet") for rows in sizes}
    runs: dict[int, list[child.Outcome]] = {rows: [] for rows in sizes}
    for turn in range(plan.runs):
        for rows in sizes:
            say(f"{label(rows)} of input, run {turn + 1} of {plan.runs}")
            options = {"sources": files[rows], "out": None, "batch_rows": plan.batch_rows}
            runs[rows].append(child.run(STREAM, options))
    start_s = statistics.median(run.cpu_s for run in runs[START_ROWS])
    cost_us = {
        rows: [(run.cpu_s - start_s) / run.answer["rows"] * 1e6 for run in runs[rows]] for rows in plan.memory_rows
    }
    base = plan.memory_rows[0]
    for rows in plan.memory_rows:
        section.add(f"peak memory, {label(rows)}", [run.peak_mb for run in runs[rows]], "MB", more=False)
        section.add(f"cost per row, {label(rows)}", cost_us[rows], "µs", more=False)
        if rows != base:
            name = f"cost per row, {label(rows)} ÷ {label(base).removesuffix(' rows')}"
            ratios = [large / small for large, small in zip(cost_us[rows], cost_us[base], strict=True)]
            section.add(name, ratios, "", more=False)
    section.add("CPU before the first row", [run.cpu_s for run in runs[START_ROWS]], "s", more=False, least_change=0.1)
    return section


def label(rows: int) -> str:
    """'10 M rows'."""
    return f"{rows / 1e6:g} M rows" if rows >= 1_000_000 else f"{rows / 1e3:g} k rows"
