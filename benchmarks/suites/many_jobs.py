"""Many jobs on one topic: it is decoded once, and a job costs what it costs alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import child, inputs
from benchmarks.five import ROWS
from benchmarks.plan import Plan
from benchmarks.report import Section

WORKER = "benchmarks.workers.many_jobs"
START_ROWS = 1_000


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """One job and many in turn, each less what reading and starting take."""
    one_rows = max(plan.many_rows, inputs.rows_at(plan.scale)["market_data"])
    section = Section("many_jobs", f"{plan.jobs} jobs on one topic")
    section.notes = [
        f"{plan.jobs} jobs (price moves, each with another limit) over one topic of {plan.many_rows:,} JSON lines, and one "
        f"of them alone over {one_rows:,}. CPU per job and row is that of evaluating: a job that reads and decodes the "
        "same columns and matches nothing is taken off, and so is the start of each (the same jobs over "
        f"{START_ROWS:,} rows). How many rows each job writes is compared with DuckDB's count."
    ]
    many_us, one_us, times, whole = [], [], [], []
    for turn in range(plan.runs):
        say(f"1 job and {plan.jobs} jobs on one topic, run {turn + 1} of {plan.runs}")
        one_us.append(_evaluating_us(1, one_rows, plan, section)[0])
        cost_us, found = _evaluating_us(plan.jobs, plan.many_rows, plan, section)
        many_us.append(cost_us)
        times.append(found["decoded_rows"] / found["rows"])
        whole.append(found["rows"] * plan.jobs / found["run_s"])
    section.add(f"times a record is decoded, {plan.jobs} jobs", times, "", more=False)
    ratios = [many / one for one, many in zip(one_us, many_us, strict=True)]
    section.add(f"CPU per job of {plan.jobs} ÷ of one", ratios, "", more=False, least_change=0.1)
    section.add(f"CPU per job and row, {plan.jobs} jobs", many_us, "µs", more=False, least_change=0.1)
    section.add("CPU per job and row, 1 job", one_us, "µs", more=False, least_change=0.1)
    section.add(f"rows × jobs, {plan.jobs} jobs", whole, "rows/CPU-s", more=True)
    return section


def _evaluating_us(jobs: int, rows: int, plan: Plan, section: Section) -> tuple[float, dict[str, Any]]:
    """CPU microseconds of a job and row, and what the worker found."""

    def ran(jobs: int, rows: int) -> dict[str, Any]:
        source = inputs.trading(rows / ROWS["market_data"], "jsonl")["market_data"]
        found = child.run(WORKER, {"source": source, "jobs": jobs, "batch_rows": plan.batch_rows}).answer
        if found["alerts"] != found["expected"]:
            section.wrong.append(f"{jobs} jobs over {rows:,} rows wrote {found['alerts']}, not {found['expected']}")
        return found

    found = ran(jobs, rows)
    evaluating_s = found["run_s"] - ran(jobs, START_ROWS)["run_s"]
    reading_s = ran(0, rows)["run_s"] - ran(0, START_ROWS)["run_s"]
    # of next to no rows it is all noise, which must not come out as less than nothing
    return max(evaluating_s - reading_s, 1e-9) / jobs / rows * 1e6, found
