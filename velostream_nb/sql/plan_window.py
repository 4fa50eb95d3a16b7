"""Which window a GROUP BY means: a call, a time rounded down, a time column, ``WHERE time >= timestamp() - …``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.bounds import interval_us
from velostream_nb.sql.buckets import bucket_of
from velostream_nb.sql.dialect import WALL
from velostream_nb.sql.plan import Node, Project, Window
from velostream_nb.sql.scope import Scope, is_column, named, text
from velostream_nb.sql.window_calls import CANONICAL

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

WINDOW_COLUMNS = ("window_start", "window_end")
"""What a window gives to its SELECT."""

INSTANT = Window(1, 1)
"""The window of GROUP BY a time column: a group is whole when the watermark has passed its one instant."""


@dataclass(frozen=True, slots=True)
class Session:
    """Rows that come at most `gap_us` after one another."""

    gap_us: int


@dataclass(slots=True)
class Windowing:
    """The window of one SELECT, as far as it is known.

    Attributes:
        window: None while there is none.
        by: internal name of its time column; None: event time itself.
        starts: bound expressions that mean the window's start, each with its type where it is not TIMESTAMP.
        called: written as a call, so that window_start and window_end are the window's own.
    """

    window: Window | Session | None = None
    by: str | None = None
    starts: list[tuple[exp.Expr, str | None]] = field(default_factory=list)
    called: bool = False

    def start_of(self, tree: exp.Expr) -> exp.Expr | None:
        """``window_start`` where the expression means it."""
        for start, dtype in self.starts:
            if tree == start:
                column = named("window_start")
                return column if dtype is None else exp.cast(column, dtype)
        return None


def has_window_call(tree: exp.Select) -> bool:
    """Does the SELECT group by a window that was written as a call, a table function or a WINDOW clause?"""
    group = tree.args.get("group")
    return group is not None and any(is_window_call(item) for item in group.expressions)


def is_window_call(item: exp.Expr) -> bool:
    """Is it a canonical ``VELO_…`` call?"""
    return isinstance(item, exp.Anonymous) and item.name.upper() in CANONICAL


def window_of_call(planner: Planner, scope: Scope, node: Node, call: exp.Anonymous) -> Windowing:
    """The window of a canonical call in GROUP BY."""
    column, *numbers = call.expressions
    if node.changes:
        planner.refuse(
            "a window over a changelog: it has no event time",
            "window the stream first, then group its windows by window_end; or GROUP BY without a window",
            call,
        )
    by = None
    if isinstance(column, exp.Column):
        by = time_column(planner, scope, node, column)
    sizes = [int(n.name) for n in numbers]
    return Windowing(_window(call.name.upper(), sizes), by, called=True)


def time_column(planner: Planner, scope: Scope, node: Node, column: exp.Column) -> str:
    """The internal name of a window's time column; refused when it is not event time."""
    internal = scope.resolve(column)
    if internal is None:
        scope.bind(column)  # says that there is no such column, with near names
    if internal not in node.time:
        known = next(iter(node.time), None)
        planner.refuse(
            f"{text(column)} is not the stream's event time",
            f"use {known}" if known else "name it with WITH ('event.time.field' = '…')",
            column,
        )
    assert internal is not None
    scope.used(internal)
    return internal


def _window(kind: str, sizes: list[int]) -> Window | Session:
    if kind == "VELO_SESSION":
        return Session(sizes[0])
    if kind == "VELO_TUMBLE":
        return Window(sizes[0], sizes[0], sizes[1])
    return Window(sizes[1], sizes[0], sizes[2], cumulate=kind == "VELO_CUMULATE")


def window_of_key(key: exp.Expr, times: Mapping[str, int]) -> Windowing | None:
    """The window of a (bound) GROUP BY expression that rounds event time down."""
    bucket = bucket_of(key, times)
    return None if bucket is None else Windowing(bucket.window, bucket.by, [(key, bucket.dtype)])


def window_of_instants(keys: list[exp.Expr], times: Mapping[str, int]) -> Windowing | None:
    """The window of GROUP BY time columns themselves: the one that lags least tells when a group is whole."""
    found = [(times[c], c, key) for key in keys if (c := is_column(key, times)) is not None]
    if not found:
        return None
    _, by, key = min(found, key=lambda each: each[0])
    return Windowing(INSTANT, by, [(key, None)])


def window_of_filter(planner: Planner, scope: Scope, node: Node, condition: exp.Expr) -> Windowing | None:
    """The hopping window of ``WHERE time >= timestamp() - INTERVAL …`` with GROUP BY."""
    condition = condition.unnest()
    if isinstance(condition, (exp.LTE, exp.LT)):
        column, edge = condition.right.unnest(), condition.left.unnest()
    elif isinstance(condition, (exp.GTE, exp.GT)):
        column, edge = condition.left.unnest(), condition.right.unnest()
    else:
        return None
    if not isinstance(edge, exp.Sub) or not isinstance(column, exp.Column):
        return None
    now, size = edge.left.unnest(), interval_us(edge.right.unnest())
    if not (isinstance(now, exp.Anonymous) and now.name.upper() == "VELO_NOW") or size is None:
        return None
    name = scope.resolve(column)
    if name is None or name not in node.time:
        return None
    slide = planner.duration_us("emit.every", "1s")
    if slide == 0 or slide > size:
        planner.refuse("'emit.every' must be positive and no longer than the window", "try '1s'", condition)
    scope.used(name)
    planner.note(
        f"WHERE … >= timestamp() - {size / 1e6:g} s with GROUP BY is a hopping window of that size that "
        f"slides by {slide / 1e6:g} s ('emit.every')"
    )
    return Windowing(Window(size, slide), name)


def retimed(node: Node, by: str | None) -> Node:
    """The node with a time column of its own as event time."""
    lag = node.time.get(by, 0) if by is not None else 0
    if by is None or not lag:
        return node
    return Project(
        inputs=(node,),
        columns=node.columns,
        pos=node.pos,
        time={by: 0},
        items=tuple((text(named(c)), c) for c in node.columns),
        retime=by,
    )


def annotated(planner: Planner, node: Node, column: exp.Column | None, window: Window, where: exp.Expr) -> Node:
    """``FROM HOP(TABLE s, …)`` without aggregates: every row once for each of its windows."""
    known = {c.lower(): c for c in node.columns}
    by = known.get(column.name.lower()) if column is not None else None
    if node.changes or (column is not None and by not in node.time):
        planner.refuse("the window's column is not event time", "window a stream by its event-time column", where)
    node = retimed(node, by)
    ends, start = _ends_of_row(window), _start_of_end(window)
    for name in WINDOW_COLUMNS:
        if name in known:
            planner.refuse(f"the rows have a column {name!r} already", "rename it in a subquery", where)
    return Project(
        inputs=(node,),
        columns=(*node.columns, *WINDOW_COLUMNS),
        pos=(*node.pos, f"__pos{len(node.pos)}"),
        # a row lies before the end of its windows, and less than the size after their start
        time={**node.time, "window_start": window.longest_us - 1 or 1, "window_end": -1},
        spans={"window_start": (0, window.longest_us - 1), "window_end": (-window.longest_us, -1)},
        items=(
            *((text(named(c)), c) for c in node.columns),
            (f"make_timestamp({start})", "window_start"),
            ("make_timestamp(__end)", "window_end"),
        ),
        joined=f", LATERAL (SELECT unnest({ends}) AS __end) AS __windows",
        row="__end",
    )


def _ends_of_row(window: Window) -> str:
    """SQL of the ends of all windows that hold `TS`, as a list."""
    w = window
    period = w.size_us if w.cumulate else w.slide_us
    last = f"{_floor(TS, period, w.offset_us)} + {w.size_us}"
    if w.cumulate:
        return f"range({_floor(TS, w.slide_us, w.offset_us)} + {w.slide_us}, {last} + 1, {w.slide_us})"
    # starts after TS - size, so ends after TS
    first = f"{_floor(f'({TS} - {w.size_us})', w.slide_us, w.offset_us)} + {w.slide_us} + {w.size_us}"
    return f"range({first}, {last} + 1, {w.slide_us})"


def _start_of_end(window: Window) -> str:
    w = window
    return _floor("(__end - 1)", w.size_us, w.offset_us) if w.cumulate else f"__end - {w.size_us}"


def _floor(x: str, step: int, offset: int) -> str:
    return f"({x} - ((({x} - {offset}) % {step}) + {step}) % {step})"


def is_annotation(item: exp.Table) -> bool:
    """Is an item of FROM a canonical call, ``VELO_HOP(table, time, …)``?"""
    return is_window_call(item.this)


def annotation(item: exp.Table) -> tuple[exp.Expr, exp.Column | None, Window]:
    """The table or subquery, the time column and the window of such a call."""
    call = item.this
    source, column, *numbers = call.expressions
    if isinstance(source, exp.Column):
        parts = dict(zip(("this", "db", "catalog"), reversed(source.parts), strict=False))
        source = exp.Table(**{key: part.copy() for key, part in parts.items()})
    else:
        source = exp.Subquery(this=source.this.copy(), alias=exp.TableAlias(this=exp.to_identifier(item.alias)))
    window = _window(call.name.upper(), [int(n.name) for n in numbers])
    assert isinstance(window, Window), "sessions annotate no rows"
    return source, column if isinstance(column, exp.Column) else None, window


def has_wall_window(tree: exp.Expr) -> bool:
    """Does a window of the query go by the wall clock?"""
    calls = (node for node in tree.find_all(exp.Anonymous) if node.name.upper() == WALL)
    return any(call.parent is not None and is_window_call(call.parent) for call in calls)
