"""How long after an event is due its alert is readable, with all five jobs live in a session."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks import child, inputs
from benchmarks.five import ROWS
from benchmarks.histogram import Histogram, highest
from benchmarks.plan import Plan
from benchmarks.render import extra
from benchmarks.report import Section

SHAPES = ("replay", "live")
QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
NOISE = 0.2
"""Latencies answer to whatever else the machine does: changes below that say nothing."""
LOST_BACKLOG_ROWS = 1_000.0
"""A backlog of fewer rows is none: a slice of the producer and a tick."""


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Each shape of market at each rate, `plan.runs` times; a figure's runs are those runs' quantiles."""
    section = Section("latency", "Latency, from an event to its alert")
    section.notes = [
        "Five jobs live in a session on the embedded broker; a producer and a subscriber in threads of their own, in the "
        "same process and under the same interpreter lock, as in a notebook. Events are stamped when they are due and "
        "sent by the clock, whatever the engine does (open loop); an alert's latency runs from the due stamp of the "
        "event that completed it (for a window the row that closed it) to the moment a subscriber in another thread has "
        f"read it. {plan.warm_up_s} s of warm-up are left out; after the end all rows of all answers are compared with "
        "DuckDB's. 'replay' is the market of the other figures at many times its speed; 'live' is a market of more "
        "stocks, each quoted ten times a second on three exchanges, in real time."
    ]
    section.details |= {"tables": [], "histograms_us": {}}
    for rate in plan.rates:
        for shape in SHAPES:
            _shape(shape, rate, plan, section, say)
    return section


def _shape(shape: str, rate: int, plan: Plan, section: Section, say: Callable[[str], None]) -> None:
    label = f"{rate / 1_000:g} k rows/s, {shape}"
    wanted = rate * (plan.latency_s + plan.warm_up_s)
    sources = inputs.trading(max(plan.scale, wanted / sum(ROWS.values())), "parquet")
    runs = []
    for turn in range(plan.runs):
        say(f"latency at {label}, run {turn + 1} of {plan.runs}")
        options = {"shape": shape, "rate": rate, "seconds": plan.latency_s, "warm_up_s": plan.warm_up_s}
        try:
            runs.append(_run(options | {"sources": sources}, label, section))
        except child.WorkerError as error:
            section.wrong.append(f"latency at {label} failed: {error}")
            return
    merged = [_merged(run["topics"].values()) for run in runs]
    if not all(histogram.total for histogram in merged):
        section.skipped.append(f"latency at {label}: no alert in one of the runs")
        return
    for name, share in QUANTILES:
        values = [histogram.quantile(share) / 1_000 for histogram in merged]
        section.add(f"latency {name}, {label}", values, "ms", more=False, least_change=NOISE)
    growth = [_growth(run["backlog"]) for run in runs]
    section.add(f"backlog growth, {label}", growth, "", more=False, least_change=NOISE)
    seconds = plan.latency_s + plan.warm_up_s
    reached = [(run["sent"] - run["backlog"][-1][1]) / seconds for run in runs]
    section.add(f"rows a second evaluated, {label}", reached, "rows/s", more=True)
    section.add(f"cores busy, {label}", [run["busy_cores"] for run in runs], "", more=False, least_change=0.1)
    section.details["tables"].append(_by_topic(label, runs))
    section.details["histograms_us"][label] = _highest(merged)
    section.details["tables"].append(_by_quarter(label, runs))


def _run(options: dict[str, object], label: str, section: Section) -> dict[str, Any]:
    """One run, its answers compared."""
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory() as expected:
        run = child.run("benchmarks.workers.latency", options | {"out": out, "expected": expected}).answer
        found = child.run("benchmarks.workers.compare", {"left": expected, "right": out}).answer
    for topic, counts in found.items():
        if counts["differ"]:
            section.wrong.append(f"live at {label}, {topic}: {counts['differ']:,} rows differ of {counts['rows']:,}")
    return run


def _merged(counts: Iterable[Mapping[str, int]]) -> Histogram:
    whole = Histogram()
    for each in counts:
        whole.merge(Histogram({int(place): count for place, count in each.items()}))
    return whole


def _highest(histograms: list[Histogram]) -> dict[str, int]:
    """How many alerts took at most so many microseconds and more than the entry before says, over all runs."""
    whole = Histogram()
    for histogram in histograms:
        whole.merge(histogram)
    return {str(highest(place)): whole.counts[place] for place in sorted(whole.counts)}


def _growth(backlog: list[list[int]]) -> float:
    """Records waiting in the last quarter over those in the first one; 1 while both are next to none."""
    rows = [max(LOST_BACKLOG_ROWS, float(waiting)) for _, waiting in backlog]
    part = max(1, len(rows) // 4)
    return statistics.fmean(rows[-part:]) / statistics.fmean(rows[:part])


def _by_topic(label: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for topic in runs[0]["topics"]:
        histogram = _merged(run["topics"][topic] for run in runs)
        if histogram.total:
            cells = [f"{histogram.quantile(share) / 1_000:.1f}" for _, share in QUANTILES]
            rows.append([topic, f"{histogram.total:,}", *cells])
    names = [name for name, _ in QUANTILES]
    return extra(f"Latency in ms at {label}, all runs", ["alerts of", "how many", *names], rows)


def _by_quarter(label: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """That the backlog does not grow: each quarter of the measured time, over all runs."""
    rows = []
    for number in range(4):
        histogram = _merged(run["quarters"][number] for run in runs)
        waiting = [w for run in runs for w in _part(run["backlog"], number)]
        if histogram.total:
            cells = [f"{histogram.quantile(share) / 1_000:.1f}" for share in (0.5, 0.99)]
            rows.append([number + 1, *cells, f"{statistics.fmean(waiting):,.0f}", f"{max(waiting):,}"])
    late = max(run["late_us"]["p99"] for run in runs) / 1_000
    title = f"Quarters of the time at {label}; the producer was at most {late:.1f} ms late with 99 of 100 slices"
    return extra(title, ["quarter", "p50 ms", "p99 ms", "records waiting, mean", "most"], rows)


def _part(backlog: list[list[int]], number: int) -> list[int]:
    ends = [len(backlog) * n // 4 for n in range(5)]
    return [waiting for _, waiting in backlog[ends[number] : ends[number + 1]]]
