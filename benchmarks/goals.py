"""What the engine is meant to reach, on a machine with two cores."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.report import Figure


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one of our figures.

    Attributes:
        figure: the figure's name; `report.Figure.name`.
        bound: at least that where more is better, at most otherwise; in the figure's unit.
        title: how the table calls it.
        on_cores: the goal only means something on so many cores.
    """

    figure: str
    bound: float
    title: str
    on_cores: int = 1

    def met(self, figure: Figure) -> bool:
        """Whether the median of the runs keeps the bound."""
        return figure.median >= self.bound if figure.more else figure.median <= self.bound


GOALS = (
    Goal("five jobs, JSON lines", 400_000, "JSON lines in, alerts out"),
    Goal("five jobs, Parquet", 750_000, "Parquet in, alerts out"),
    Goal("CPU ÷ DuckDB's, 50,000-row batches", 1.25, "CPU of streaming ÷ of DuckDB's batch, 50,000-row batches"),
    Goal("CPU ÷ DuckDB's, 1,000-row batches", 3.0, "the same, 1,000-row batches"),
    Goal("wall on 2 cores ÷ on 1, JSON lines", 0.6, "wall time on 2 cores ÷ on 1, JSON lines", 2),
    Goal("wall on 2 cores ÷ on 1, Parquet", 0.6, "wall time on 2 cores ÷ on 1, Parquet", 2),
    Goal("latency p50, 10 k rows/s, replay", 10, "latency of an alert at 10 k rows/s, p50"),
    Goal("latency p99, 10 k rows/s, replay", 50, "latency of an alert at 10 k rows/s, p99"),
    Goal("latency p50, 10 k rows/s, live", 10, "the same, 208 stocks in real time, p50"),
    Goal("latency p99, 10 k rows/s, live", 50, "the same, 208 stocks in real time, p99"),
    Goal("latency p99, 100 k rows/s, replay", 150, "latency of an alert at 100 k rows/s, p99"),
    Goal("latency p99, 100 k rows/s, live", 150, "the same, 2,083 stocks in real time, p99"),
    Goal("backlog growth, 100 k rows/s, replay", 1.5, "backlog, last quarter ÷ first, at 100 k rows/s"),
    Goal("peak memory, 1 M rows", 400, "peak memory, 1 M rows"),
    Goal("peak memory, 10 M rows", 400, "peak memory, 10 M rows"),
    Goal("peak memory, 50 M rows", 400, "peak memory, 50 M rows"),
    Goal("cost per row, 10 M rows ÷ 1 M", 1.05, "cost per row at 10 M rows ÷ at 1 M"),
    Goal("cost per row, 50 M rows ÷ 1 M", 1.05, "cost per row at 50 M rows ÷ at 1 M"),
    Goal("times a record is decoded, 100 jobs", 1.0, "100 jobs on one topic: times a record is decoded"),
    Goal("CPU per job of 100 ÷ of one", 1.2, "100 jobs on one topic: CPU per job ÷ of one alone"),
    Goal("import velostream_nb", 0.5, "`import velostream_nb`"),
    Goal("velo --help", 0.3, "`velo --help`"),
    Goal("cell to first row, first job", 150, "cell to first row, first job of a kernel"),
    Goal("cell to first row, later jobs", 150, "cell to first row, later jobs"),
)
