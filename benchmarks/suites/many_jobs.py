"""Many jobs on one topic: it is decoded once, and a job costs what it costs alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from benchmarks import child, inputs
from benchmarks.five import ROWS
from benchmarks.plan import Plan
from benchmarks.report import Section

WORKER = "benchmarks.workers.many_jobs"
START_ROWS = 1_000


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """One job and many in turn, each less its decoding and its start (the same jobs over next to no rows)."""
    section = Section("many_jobs", f"{plan.jobs} jobs on one topic")
    section.notes = [
        f"{plan.jobs} jobs (price moves, each with another limit) over one topic of {plan.many_rows:,} JSON lines. CPU "
        "per job is that of evaluating alone: what decoding took is measured by thread and taken off, and so is the "
        f"start, the same jobs planned and compiled over {START_ROWS:,} rows."
    ]
    few, many = _source(START_ROWS), _source(plan.many_rows)
    each: dict[int, list[float]] = {1: [], plan.jobs: []}
    times, whole = [], []
    for turn in range(plan.runs):
        for jobs, costs in each.items():
            say(f"{jobs} {'job' if jobs == 1 else 'jobs'} on one topic, run {turn + 1} of {plan.runs}")
            start = child.run(WORKER, {"source": few, "jobs": jobs, "batch_rows": plan.batch_rows}).answer
            found = child.run(WORKER, {"source": many, "jobs": jobs, "batch_rows": plan.batch_rows}).answer
            evaluating_s = found["run_s"] - found["decode_s"] - (start["run_s"] - start["decode_s"])
            costs.append(evaluating_s / jobs)
            if jobs == plan.jobs:
                times.append(found["decoded_rows"] / found["rows"])
                whole.append(found["rows"] * jobs / found["run_s"])
    ratios = [all_s / one_s for one_s, all_s in zip(each[1], each[plan.jobs], strict=True)]
    section.add(f"times a record is decoded, {plan.jobs} jobs", times, "", more=False)
    section.add(f"CPU per job of {plan.jobs} ÷ of one", ratios, "", more=False, least_change=0.1)
    section.add(f"rows × jobs, {plan.jobs} jobs", whole, "rows/CPU-s", more=True)
    section.details["evaluating_s"] = {str(jobs): statistics.median(costs) for jobs, costs in each.items()}
    return section


def _source(rows: int) -> str:
    return inputs.trading(rows / ROWS["market_data"], "jsonl")["market_data"]
