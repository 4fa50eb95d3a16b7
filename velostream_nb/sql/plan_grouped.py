"""The operator of an aggregation over windows: final rows once, or a changelog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from sqlglot import exp

from velostream_nb.sql.emission import emits
from velostream_nb.sql.plan import (
    GROUPING,
    Grouped,
    Node,
    SessionAggregate,
    SessionChanges,
    Tally,
    Window,
    WindowAggregate,
    WindowChanges,
)
from velostream_nb.sql.plan_window import WINDOW_COLUMNS, Session
from velostream_nb.sql.scope import is_column, text
from velostream_nb.sql.tallied import tallies_of

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner


@dataclass(slots=True)
class Groups:
    """What a GROUP BY makes of the rows of one window.

    Attributes:
        keys, aggregates: bound expressions with the names of their columns.
        sets: key names of every grouping set; None for one set, of all the keys.
        groupings: (column, key names) of every GROUPING() call.
        mergeable: the aggregates' states may be combined.
    """

    keys: Items = field(default_factory=list)
    aggregates: Items = field(default_factory=list)
    sets: list[list[str]] | None = None
    groupings: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    mergeable: bool = True


class _Common(TypedDict):
    inputs: tuple[Node, ...]
    columns: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    aggregates: tuple[tuple[str, str], ...]
    mergeable: bool
    sets: tuple[tuple[str, ...], ...]
    groupings: tuple[tuple[str, tuple[str, ...]], ...]
    tallies: tuple[Tally, ...]


class _Changelog(TypedDict):
    pos: tuple[str, ...]
    time: dict[str, int]
    changes: bool
    key: tuple[str, ...] | None
    early: bool
    keep_us: int


def windowed(
    planner: Planner,
    select: exp.Select,
    node: Node,
    window: Window | Session,
    groups: Groups,
    items: Sequence[exp.Expr],
) -> Grouped:
    """The operator; `items` are the SELECT's, over its columns."""
    if isinstance(window, Session) and groups.sets is not None:
        planner.refuse(
            "GROUPING SETS of session windows: every set would have sessions of its own",
            "aggregate the sessions in a CTE, then its rows with GROUP BY ROLLUP (…), or start one job a grouping",
            select.args["group"],
        )
    common = _common(node, groups)
    emission = emits(planner, select)
    if emission is None:
        if isinstance(window, Session):
            return SessionAggregate(**common, pos=("__pos",), time={"window_end": 0}, gap_us=window.gap_us)
        time = {"window_end": 0, "window_start": window.longest_us}
        return WindowAggregate(**common, pos=("__pos",), time=time, window=window)
    early, keep_us = emission
    changelog = _Changelog(pos=(), time={}, changes=True, key=_key(window, groups, items), early=early, keep_us=keep_us)
    if isinstance(window, Session):
        return SessionChanges(**common, **changelog, gap_us=window.gap_us)
    return WindowChanges(**common, **changelog, window=window)


def _common(node: Node, groups: Groups) -> _Common:
    names = [*(n for _, n in groups.keys), *(n for _, n in groups.aggregates), *(n for n, _ in groups.groupings)]
    return _Common(
        inputs=(node,),
        columns=(*WINDOW_COLUMNS, *names, *([GROUPING] if groups.sets else [])),
        keys=tuple((text(e), n) for e, n in groups.keys),
        aggregates=tuple((text(e), n) for e, n in groups.aggregates),
        mergeable=groups.mergeable,
        sets=tuple(tuple(s) for s in groups.sets or ()),
        groupings=tuple(groups.groupings),
        tallies=tallies_of([e for e, _ in groups.aggregates]),
    )


def _key(window: Window | Session, groups: Groups, items: Sequence[exp.Expr]) -> tuple[str, ...] | None:
    """The changelog's key: the keys and one end of the window, the one that is selected; None when there is none.

    Windows of one key that start together end together, but for those that cumulate. Of a session it is the start: the
    end moves with every row.
    """
    ends = ["window_end", "window_start"]
    if isinstance(window, Session):
        ends.reverse()
    elif window.cumulate:
        ends.pop()
    if groups.sets is not None and len({tuple(sorted(s)) for s in groups.sets}) < len(groups.sets):
        return None  # equal sets give equal rows
    shown = [end for end in ends if any(is_column(item, {end}) for item in items)]
    return ((shown or ends)[0], *(n for _, n in groups.keys), *([GROUPING] if groups.sets else []))
