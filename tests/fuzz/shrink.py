"""A failing case made small: fewer rows, fewer ticks, a simpler query, the same failure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tests.fuzz.arrivals import DELAY_US, SCHEMAS, Arrival, ticks
from tests.fuzz.check import Case, Verdict, judge, tables_first
from tests.golden.rows import rendered
from velostream_nb.core.types import sql_type

T = TypeVar("T")

MOST_RUNS = 500


class Shrinker:
    """Tries smaller cases until none of them fails in the same way, or the runs are used up."""

    def __init__(self, case: Case, verdict: Verdict, *, most_runs: int = MOST_RUNS) -> None:
        self.case = case
        self.verdict = verdict
        self._left = most_runs

    def run(self) -> Case:
        """The smallest case found."""
        before = None
        while self._left > 0 and self.case != before:
            before = self.case
            self._rows()
            self._choices()
            self._flags()
        return self.case

    def _fails(self, case: Case) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        try:
            if case.query().tables_first:
                case = replace(case, arrivals=tuple(tables_first(case.arrivals)))
        except (IndexError, ValueError, AssertionError):
            return False  # these choices make no query
        verdict = judge(case)
        if verdict.kind != "failed" or _signature(verdict) != _signature(self.verdict):
            return False
        self.case, self.verdict = case, verdict
        return True

    def _rows(self) -> None:
        topics = self.case.query().topics
        self._fails(replace(self.case, arrivals=tuple(a for a in self.case.arrivals if a.topic in topics)))
        self._without(lambda case: case.arrivals, lambda case, rows: replace(case, arrivals=tuple(rows)))

    def _choices(self) -> None:
        made = tuple(self._made())
        if made != self.case.choices:
            self._fails(replace(self.case, choices=made))
        self._without(lambda case: case.choices, lambda case, numbers: replace(case, choices=tuple(numbers)))
        for place in range(len(self.case.choices)):
            for value in (0, 1):
                choices = self.case.choices
                if place < len(choices) and choices[place] > value:
                    smaller = (*choices[:place], value, *choices[place + 1 :])
                    if self._fails(replace(self.case, choices=smaller)):
                        break

    def _made(self) -> Sequence[int]:
        """The choices that are used; trailing ones that are the simplest need not be said."""
        choices = list(self.case.choices)
        while choices and choices[-1] == 0:
            choices.pop()
        return choices

    def _flags(self) -> None:
        self._fails(replace(self.case, retract=False))
        for flag in ({"restarts": False}, {"ends_tick": False, "restarts": False}, {"partition": 0}):
            if self._fails(replace(self.case, arrivals=tuple(replace(a, **flag) for a in self.case.arrivals))):
                continue
            for place in range(len(self.case.arrivals)):
                rows = self.case.arrivals
                smaller = replace(rows[place], **flag)
                if smaller != rows[place]:
                    self._fails(replace(self.case, arrivals=(*rows[:place], smaller, *rows[place + 1 :])))

    def _without(self, items: Callable[[Case], Sequence[T]], changed: Callable[[Case, Sequence[T]], Case]) -> None:
        """Drop runs of items, long ones first."""
        size = max(len(items(self.case)) // 2, 1)
        while size and self._left > 0:
            place = 0
            while place < len(items(self.case)) and self._left > 0:
                current = items(self.case)
                if not self._fails(changed(self.case, [*current[:place], *current[place + size :]])):
                    place += size
            size //= 2


def _signature(verdict: Verdict) -> str:
    """What kind of failure it is: the exception, or the assertion without its details."""
    last = [line for line in verdict.reason.splitlines() if line and not line.startswith(" ")]
    line = last[0] if verdict.reason.startswith(("tick", "the end")) else (last or [""])[-1]
    line = re.sub(r"^(tick \d+|the end): ", "", line)
    return re.sub(r"\d+|'[^']*'|\"[^\"]*\"|\{.*|\[.*", "", line)[:60]


def report(case: Case, verdict: Verdict) -> str:
    """The failure, the query, and the case as a golden file to begin with."""
    return f"{verdict.reason}\n\n{as_golden(case)}"


def as_golden(case: Case) -> str:
    """The case in the format of tests/golden."""
    asked = case.query()
    lines = [f"-- construct: {', '.join(asked.tags[-1:])}"]
    for topic in asked.topics:
        columns = ", ".join(f"{f.name} {sql_type(f.type)}" for f in SCHEMAS[topic])
        kind, key = ("TABLE", ", PRIMARY KEY (k)") if topic == "t" else ("STREAM", "")
        most = max((a.partition for a in case.arrivals if a.topic == topic), default=0) + 1
        options = f"'watermark.delay' = '{DELAY_US // 1_000_000}s'" + (f", 'partitions' = '{most}'" if most > 1 else "")
        lines.append(f"CREATE {kind} {topic} ({columns}{key}) WITH ({options});")
    tail = " WITH ('changelog' = 'retract')" if case.retract else ""
    lines += [f"START JOB j AS {asked.sql}{tail};", ""]
    for tick in ticks(case.arrivals):
        lines.append("-- step: then a restart" if tick[-1].restarts else "-- step")
        for arrival in tick:
            lines += [_head(arrival), f"--| {_line(arrival.row)}"]
        lines.append("")
    oracle = asked.oracle.replace(TABLE_IN_LOG, "SELECT k, g, x, ts FROM t")
    return "\n".join([*lines, "-- final", "", "-- oracle:", f"--| {oracle}", ""])


TABLE_IN_LOG = (
    "SELECT k, g, x, ts FROM (SELECT * FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY __pos DESC) = 1) "
    "WHERE __op <> 'delete'"
)
"""How a batch query reads the table's log; in a golden file the table is its rows."""


def _head(arrival: Arrival) -> str:
    if arrival.delete:
        return f"-- delete {arrival.topic}:"
    return f"-- in {arrival.topic}{f'/{arrival.partition}' if arrival.partition else ''}:"


def _line(row: dict[str, Any]) -> str:
    text: str = rendered([{**row, "ts": _iso(row["ts"])}])[0]
    return text


def _iso(us: int) -> str:
    import datetime as dt

    return str(dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=us))
