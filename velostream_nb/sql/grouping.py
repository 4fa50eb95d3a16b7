"""GROUPING SETS, ROLLUP and CUBE as the list of sets that they stand for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

_MOST_SETS = 4_096
"""CUBE of more than a dozen keys is a slip."""

Sets = list[list[exp.Expr]]


def grouping_sets(planner: Planner, group: exp.Group, items: list[exp.Expr]) -> Sets | None:
    """The sets of a GROUP BY: every combination of those of its items; None when it has no such item.

    Args:
        items: the items of GROUP BY that count.
    """
    more = [part for kind in ("grouping_sets", "rollup", "cube") for part in group.args.get(kind) or []]
    parts = [*items, *more]
    if not any(isinstance(part, exp.GroupingSets | exp.Rollup | exp.Cube) for part in parts):
        return None
    each = [_sets(part) for part in parts]
    count = 1
    for sets in each:
        count *= len(sets)
    if count > _MOST_SETS:
        planner.refuse(f"{count} grouping sets", "name those that you need: GROUPING SETS ((a, b), (a), ())", group)
    return [[item for part in chosen for item in part] for chosen in itertools.product(*each)]


def _sets(part: exp.Expr) -> Sets:
    """The sets that one item of GROUP BY, or of GROUPING SETS, stands for."""
    if isinstance(part, exp.GroupingSets):
        return [found for inner in part.expressions for found in _sets(inner)]
    if isinstance(part, exp.Rollup):
        members = [_members(e) for e in part.expressions]
        return [_joined(members[:n]) for n in range(len(members), -1, -1)]
    if isinstance(part, exp.Cube):
        members = [_members(e) for e in part.expressions]
        sizes = range(len(members), -1, -1)
        return [_joined(chosen) for size in sizes for chosen in itertools.combinations(members, size)]
    return [_members(part)]


def _members(part: exp.Expr) -> list[exp.Expr]:
    """``(a, b)`` is one member of two columns."""
    return list(part.expressions) if isinstance(part, exp.Tuple) else [part.unnest()]


def _joined(members: object) -> list[exp.Expr]:
    return [item for member in members for item in member]  # type: ignore[attr-defined]
