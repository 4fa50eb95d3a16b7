"""Compare two results: which figures became better or worse by more than their runs differ among themselves.

    python -m benchmarks.check [OLD.json [NEW.json]]

Left out, OLD is the committed reference and NEW the newest of benchmarks/results/.

A figure has changed when its medians differ by more than all of: three times the MAD (the median distance of the runs
from their median) of the older and of the newer runs, and the share below which the figure says nothing (5 % for most,
more for latencies and starts, which the machine's other work disturbs). Exit status 1 on a regression of ours or a
wrong answer, 2 when the two cannot be compared: another machine, other settings, another format.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.conditions import MACHINE
from benchmarks.report import OURS, Figure, Report, load

HERE = Path(__file__).resolve().parent
MADS = 3.0
"""For a normal distribution three MADs are two standard deviations."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in two results.

    Attributes:
        noise: relative; a change within it says nothing.
    """

    old: Figure
    new: Figure
    noise: float

    @property
    def ratio(self) -> float:
        """The new median in old ones."""
        if self.old.median == 0:
            return 1.0 if self.new.median == 0 else float("inf")
        return self.new.median / self.old.median

    @property
    def verdict(self) -> str:
        """'better', 'worse' or 'same'."""
        if abs(self.ratio - 1) <= self.noise:
            return "same"
        return "better" if (self.ratio > 1) == self.old.more else "worse"


def change(old: Figure, new: Figure) -> Change:
    """The change of one figure, with the noise to judge it by."""
    noise = max(old.least_change, new.least_change)
    if old.median:
        noise = max(noise, MADS * old.spread / abs(old.median), MADS * new.spread / abs(old.median))
    return Change(old, new, noise)


def refusal(old: Report, new: Report) -> str | None:
    """Why the two cannot be compared; None when they can."""
    for name in MACHINE:
        if old.conditions.get(name) != new.conditions.get(name):
            return f"measured on different machines: {name} {old.conditions.get(name)} and {new.conditions.get(name)}"
    differ = {n for n in old.settings | new.settings if old.settings.get(n) != new.settings.get(n)} - {"peers"}
    if differ:
        pairs = (f"{n} {old.settings.get(n)} and {new.settings.get(n)}" for n in sorted(differ))
        return f"measured with different settings: {'; '.join(pairs)}"
    if not old.figures().keys() & new.figures().keys():
        return "they have no figure in common"
    return None


def changes(old: Report, new: Report) -> list[Change]:
    """Every figure that both have, in the order of the newer one."""
    known = old.figures()
    return [change(known[place], figure) for place, figure in new.figures().items() if place in known]


def text(old: Report, new: Report) -> list[str]:
    """What to tell, worst first."""
    found = changes(old, new)
    ours = [c for c in found if c.old.engine == OURS]
    lines = [f"{len(found)} figures in both; {old.conditions['commit']} against {new.conditions['commit']}"]
    both = sorted(old.versions.keys() & new.versions.keys())
    moved_on = [name for name in both if old.versions[name] != new.versions[name]]
    lines += [f"note: {name} was {old.versions[name]} and is {new.versions[name]}" for name in moved_on]
    lines += [f"WRONG ANSWER: {said}" for section in new.sections for said in section.wrong]
    for verdict in ("worse", "better"):
        changed = sorted((c for c in ours if c.verdict == verdict), key=lambda c: -abs(c.ratio - 1))
        lines += [f"{verdict.upper()}: {_line(c)}" for c in changed]
    moved = [c for c in found if c.old.engine != OURS and c.verdict != "same"]
    if moved:
        lines.append("The yardsticks moved too, so the machine or a version of theirs is part of what changed:")
        lines += [f"  {c.verdict}: {c.old.engine}, {_line(c)}" for c in moved]
    if not any(c.verdict != "same" for c in ours):
        lines.append("nothing of ours changed beyond noise")
    gone = [name for name, engine in old.figures() if engine == OURS and (name, engine) not in new.figures()]
    lines += [f"note: not measured any more: {name}" for name in gone]
    return lines


def _line(c: Change) -> str:
    unit = f" {c.new.unit}" if c.new.unit else ""
    return f"{c.new.name}: {c.old.median:.4g} -> {c.new.median:.4g}{unit} ({c.ratio - 1:+.1%}; noise {c.noise:.0%})"


def _paths(arguments: Sequence[str]) -> tuple[Path, Path]:
    """The two files to compare. ValueError when there is no result yet."""
    given = [Path(argument) for argument in arguments]
    old = given[0] if given else HERE / "reference.json"
    if len(given) == 2:
        return old, given[1]
    results = sorted((HERE / "results").glob("*.json"))  # their names begin with their dates
    if not results:
        raise ValueError("there is no result in benchmarks/results: run `make bench`, or name two files")
    return old, results[-1]


def main(arguments: Sequence[str]) -> int:
    """Exit status as the module says."""
    if len(arguments) > 2:
        print("usage: python -m benchmarks.check [OLD.json [NEW.json]]", file=sys.stderr)
        return 2
    try:
        old, new = (load(path) for path in _paths(arguments))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if why := refusal(old, new):
        print(f"error: the results do not compare: {why}", file=sys.stderr)
        print("hint: run `make bench` with the same settings on the same machine for both", file=sys.stderr)
        return 2
    print("\n".join(text(old, new)))
    worse = any(c.verdict == "worse" for c in changes(old, new) if c.old.engine == OURS)
    return 1 if worse or not new.ok else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
