"""Joins of two append-only inputs: pairs whose event times differ by a bounded amount."""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.sql.bounds import Bounds, narrow_by
from velostream_nb.sql.plan import IntervalJoin, Node
from velostream_nb.sql.plan_join_sides import Filters, Sides, both_sql
from velostream_nb.sql.spread import after_join, spread


def interval_join(sides: Sides, filters: Filters) -> Node:
    """The join, with what it can take of WHERE. A side without a time bound gets 'join.within', and a note says so."""
    _make_inner(sides, filters)
    conditions = list(sides.conditions)
    if sides.kind == "inner":
        conditions += filters.take(filters.of_both(sides))
    equal = sides.equalities(conditions)
    sides.same(equal)
    low_us, high_us, default = _bounds(sides, conditions)
    below = filters.pushed(sides)
    left, right = sides.left, sides.right
    joined = sides.kind in ("semi", "anti")
    return IntervalJoin(
        inputs=(sides.planner.filtered(left, below[0]), sides.planner.filtered(right, below[1])),
        columns=sides.columns,
        pos=left.pos if joined else (*left.pos, *(f"__pos{len(left.pos) + i}" for i in range(len(right.pos)))),
        time=_times(sides, low_us, high_us),
        low_us=low_us,
        high_us=high_us,
        equal=tuple(equal),
        condition=" AND ".join(filter(None, (both_sql(conditions), default))),
        left_columns=sides.left_pairs,
        right_columns=sides.right_pairs,
        kind=sides.kind,
    )


def is_bounded(sides: Sides, filters: Filters) -> bool:
    """Do ON, and WHERE for an inner join, bound the times of pairs on both sides?"""
    more = [sides.scope.bind(f) for f in filters.of_both(sides)] if sides.kind == "inner" else []
    found = _narrowed(sides, [*sides.conditions, *more])
    return found.low_us is not None and found.high_us is not None


def _times(sides: Sides, low_us: int, high_us: int) -> dict[str, int]:
    """Event time of the sides that are never filled up with NULLs."""
    found = {}
    kept = {"inner": (0, 1), "right": (1,), "full": ()}.get(sides.kind, (0,))
    for side in kept:
        node, pairs = ((sides.left, sides.left_pairs), (sides.right, sides.right_pairs))[side]
        for own, name in pairs:
            at = spread(node, own)
            if at is not None:
                found[name] = after_join(sides.kind, side, low_us, high_us, at).lag_us
    return found


def _make_inner(sides: Sides, filters: Filters) -> None:
    """An outer join whose times only WHERE compares keeps matches alone: NULL compares with nothing."""
    if sides.kind not in ("left", "right", "full") or _narrowed(sides, sides.conditions) != Bounds():
        return
    compared = [f for f in filters.of_both(sides) if _narrowed(sides, [sides.scope.bind(f)]) != Bounds()]
    if compared:
        sides.planner.note(
            f"WHERE compares the times of {sides.names[0]} and {sides.names[1]}, which drops what the "
            f"{sides.kind.upper()} JOIN would fill up with NULLs: it is an inner join"
        )
        sides.kind = "inner"


def _narrowed(sides: Sides, conditions: list[exp.Expr]) -> Bounds:
    """``low <= left event time - right event time <= high``, from every pair of columns that follow event time."""
    bounds = Bounds()
    for own, name in sides.left_pairs:
        left = spread(sides.left, own)
        if left is None:
            continue
        for other, other_name in sides.right_pairs:
            right = spread(sides.right, other)
            if right is None:
                continue
            found = Bounds()
            for condition in conditions:
                narrow_by(found, condition, [name], [other_name])
            low = None if found.low_us is None else found.low_us + left.least_us - right.most_us
            high = None if found.high_us is None else found.high_us + left.most_us - right.least_us
            bounds.narrow(low, high)
    return bounds


def _bounds(sides: Sides, conditions: list[exp.Expr]) -> tuple[int, int, str]:
    """(low, high, the condition that the default bound adds, '' without it)."""
    planner = sides.planner
    found = _narrowed(sides, conditions)
    low, high, default = found.low_us, found.high_us, ""
    if low is None or high is None:
        within = planner.duration_us("join.within", "1s")
        what = "time bound" if found == Bounds() else "bound on both sides"
        names = f"{sides.names[0]} and {sides.names[1]}"
        low, high = (-within if low is None else low), (within if high is None else high)
        if low > high:
            planner.refuse(
                f"the join of {names} bounds their times on one side only, beyond 'join.within' ({within / 1e6:g} s)",
                "bound both sides: b.ts BETWEEN a.ts + INTERVAL '5' SECOND AND a.ts + INTERVAL '9' SECOND",
                sides.join,
            )
        planner.note(
            f"the join of {names} has no {what}: rows within {within / 1e6:g} s of each other join ('join.within')"
        )
        default = f"__l.__ts - __r.__ts BETWEEN {low} AND {high}"
    if low > high:
        planner.refuse("the join's time bounds exclude every pair", "swap the bounds", sides.join)
    return low, high, default
