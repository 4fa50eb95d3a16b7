"""What a run of the benchmarks has found: figures in sections, with the conditions they were measured under."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
"""Version of the result files; `load` refuses others."""

OURS = "velostream_nb"
DUCKDB = "DuckDB batch"
"""DuckDB in batch, one thread: the yardstick of every section that has one."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, with every run of it.

    Attributes:
        name: what was measured; the same for every engine that did it.
        engine: who did it.
        unit: 'rows/CPU-s', 's', 'ms', 'MB', or '' for ratios and counts.
        more: whether more is better.
        runs: in the order they were made; never empty.
        least_change: relative; what `check` takes for noise however little the runs differ.
    """

    name: str
    engine: str
    unit: str
    more: bool
    runs: tuple[float, ...]
    least_change: float = 0.05

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """The median distance of the runs from their median (MAD), in the figure's unit."""
        return statistics.median(abs(run - self.median) for run in self.runs)


@dataclass(slots=True)
class Section:
    """Figures that belong together.

    Attributes:
        name: as in BENCH_ONLY.
        notes: sentences for people: what was run, and how the yardsticks differ.
        skipped: what could not be measured, and why.
        wrong: answers that were not what they should be. A wrong answer is no fast answer.
        details: whatever else was found; `render` knows what to make of it.
    """

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def add(
        self, name: str, runs: list[float], unit: str, *, more: bool, engine: str = OURS, least_change: float = 0.05
    ) -> None:
        """Add a figure."""
        self.figures.append(Figure(name, engine, unit, more, tuple(runs), least_change))


@dataclass(slots=True)
class Report:
    """One run.

    Attributes:
        conditions: of the machine and the moment; see `conditions.now`.
        settings: what was asked for; results of different settings do not compare.
        versions: of ours and of what was measured with it, by name.
    """

    conditions: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str]
    sections: list[Section] = field(default_factory=list)

    def figures(self) -> dict[tuple[str, str], Figure]:
        """All figures, by (name, engine)."""
        return {(figure.name, figure.engine): figure for section in self.sections for figure in section.figures}

    @property
    def ok(self) -> bool:
        """Whether every answer was right."""
        return not any(section.wrong for section in self.sections)


def save(report: Report, path: Path) -> None:
    """Write it as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, **asdict(report)}, indent=1) + "\n")


def load(path: Path) -> Report:
    """Read what `save` has written.

    Raises:
        ValueError: the file is no such report, or one of another version.
    """
    try:
        found = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no result of `make bench`: {error}") from error
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is no result of `make bench`, or one of another version (this one reads {FORMAT})")
    sections = [
        Section(**{**section, "figures": [Figure(**{**f, "runs": tuple(f["runs"])}) for f in section["figures"]]})
        for section in found.pop("sections")
    ]
    return Report(**found, sections=sections)
