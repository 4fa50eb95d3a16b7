"""The five jobs on one core and on two: wall time, over inputs that take ten seconds or more."""

from __future__ import annotations

import os
from collections.abc import Callable

from benchmarks import child, conditions, inputs
from benchmarks.plan import Plan
from benchmarks.report import Section
from benchmarks.suites.files import FORMS

LEAST_S = 10.0
"""Below that, starting the process is too much of the time for the ratio to mean anything."""
SHARE = {"jsonl": 0.5, "parquet": 1.0}
"""Of `Plan.cores_scale`: a row takes longer from JSON."""


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """One core and two in turn; the alerts go nowhere, so that no disk is in the figure."""
    section = Section("cores", "On one core and on two")
    section.notes = [
        "Whole processes held on one or two cores by the operating system (`sched_setaffinity`, before anything is "
        f"imported); each run takes {LEAST_S:.0f} s or more on one core, or the notes below say that it did not."
    ]
    if not hasattr(os, "sched_setaffinity") or conditions.cores() < 2:
        section.skipped.append("two cores against one: there is one core here, or no way to hold a process on it")
        return section
    for form, title in FORMS.items():
        sources = inputs.trading(plan.cores_scale * SHARE[form], form)
        wall_s: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(plan.runs):
            for cores, runs in wall_s.items():
                say(f"{title} on {cores} of the cores, run {turn + 1} of {plan.runs}")
                options = {"sources": sources, "out": None, "batch_rows": plan.batch_rows, "cores": cores}
                runs.append(child.run("benchmarks.workers.files_stream", options).wall_s)
        ratios = [two / one for one, two in zip(wall_s[1], wall_s[2], strict=True)]
        section.add(f"wall on 2 cores ÷ on 1, {title}", ratios, "", more=False, least_change=0.1)
        for cores, runs in wall_s.items():
            section.add(f"wall on {cores}, {title}", runs, "s", more=False, least_change=0.1)
        if min(wall_s[1]) < LEAST_S:
            section.notes.append(f"{title}: {min(wall_s[1]):.1f} s on one core: too short to say much.")
    return section
