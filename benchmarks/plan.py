"""How much is measured: the settings of a run, and how long it will take."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

SECTIONS = ("files", "arrow", "cores", "latency", "memory", "many_jobs", "nexmark", "startup")
PEERS = ("polars", "bytewax", "deephaven", "flink")


@dataclass(frozen=True, slots=True)
class Plan:
    """Settings of a run. Results of different settings do not compare.

    Attributes:
        scale: of the five jobs' input; 1 is 3.2 M rows.
        runs: of each figure; engines take turns.
        batch_rows: records of a source in one tick, where the figure does not say: as many as in `velo run`.
        cores_scale: of the input by which two cores are compared with one: it must take ten seconds or more.
        rates: rows a second at which latency is measured.
        latency_s, warm_up_s: measured, and before that left out.
        memory_rows: sizes of input for peak memory and cost per row; the first is the base.
        jobs: on one topic.
        many_rows: of that topic.
        events, queries: of Nexmark.
        starts: of each process whose start is timed.
        peers: to compare with, beside DuckDB.
    """

    scale: float = 1.0
    runs: int = 3
    batch_rows: int = 80_000
    cores_scale: float = 8.0
    rates: tuple[int, ...] = (10_000, 100_000)
    latency_s: int = 20
    warm_up_s: int = 5
    memory_rows: tuple[int, ...] = (1_000_000, 10_000_000)
    jobs: int = 100
    many_rows: int = 400_000
    events: int = 500_000
    queries: tuple[int, ...] = tuple(range(23))
    starts: int = 10
    peers: tuple[str, ...] = ("polars", "bytewax")

    def as_settings(self) -> dict[str, Any]:
        """For the report: plain lists and numbers."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


FULL = Plan()
LONG_ROWS = (1_000_000, 10_000_000, 50_000_000)
"""Sizes of `Plan.memory_rows` in a long run."""
QUICK = Plan(
    scale=0.1,
    runs=1,
    cores_scale=0.5,
    rates=(10_000,),
    latency_s=5,
    warm_up_s=2,
    memory_rows=(100_000, 1_000_000),
    jobs=20,
    many_rows=50_000,
    events=20_000,
    queries=(0, 1, 5, 8, 12),
    starts=3,
)
TINY = Plan(
    scale=0.002,
    runs=1,
    batch_rows=1_000,
    cores_scale=0.002,
    rates=(2_000,),
    latency_s=3,
    warm_up_s=1,
    memory_rows=(2_000, 6_000),
    jobs=3,
    many_rows=2_000,
    events=500,
    queries=(1, 5),
    starts=1,
    peers=(),
)
"""For the tests: every way through the code, and no figure worth reading."""


def minutes(plan: Plan, sections: tuple[str, ...]) -> float:
    """About how long it takes on the 2-core machine where this was written, once data and environments are there."""
    turn_s = 1.2 * plan.scale * sum({"polars": 15, "bytewax": 25, "deephaven": 40, "flink": 150}[p] for p in plan.peers)
    seconds = {
        "files": plan.runs * (10 + 32 * plan.scale + turn_s),
        "arrow": plan.runs * (14 + 40 * plan.scale),
        "cores": plan.runs * (4 + 8 * plan.cores_scale),
        "latency": 2 * len(plan.rates) * plan.runs * (12 + plan.latency_s + plan.warm_up_s),
        "memory": plan.runs * sum(1.5 + rows / 450_000 for rows in plan.memory_rows),
        "many_jobs": plan.runs * (14 + 9 * plan.scale + 0.4e-6 * plan.jobs * plan.many_rows),
        "nexmark": plan.runs * len(plan.queries) * (2.2 + plan.events / 150_000),
        "startup": 12 + 3 * plan.starts,
    }
    return sum(seconds[name] for name in sections) / 60
