"""Joins with a changelog of one row at most: what a total, an average or a flag of a subquery is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import Node, OneRowJoin
from velostream_nb.sql.scope import text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

BEFORE = " before"
"""Ends the name of a column of the one row as it was before a change."""


def one_row_join(
    planner: Planner,
    kind: str,
    left: Node,
    right: Node,
    left_pairs: tuple[tuple[str, str], ...],
    right_pairs: tuple[tuple[str, str], ...],
    condition: str,
) -> Node:
    """A join without equalities whose right side has one row at most, as a changelog.

    Args: as of `plan_changes.regular_join`; kind is 'inner', 'left', 'semi' or 'anti'.
    """
    ttl = planner.settings.get("state.ttl")
    if ttl is None:
        planner.note(
            f"the {kind} join with one row keeps the rows of the left side for ever, because that row may change; "
            "'state.ttl' bounds it"
        )
    shown = left_pairs if kind in ("semi", "anti") else (*left_pairs, *right_pairs)
    renamed = dict(left_pairs)
    key = None if left.key is None else tuple(renamed[k] for k in left.key)
    return OneRowJoin(
        inputs=(planner.changes(left), right),
        columns=tuple(o for _, o in shown),
        pos=(),
        time={},
        changes=True,
        key=key,
        kind=kind,
        condition=condition or "TRUE",
        before=_before(condition or "TRUE", {o for _, o in right_pairs}),
        left_columns=left_pairs,
        right_columns=right_pairs,
        ttl_us=None if ttl is None else parse_duration_us(ttl),
    )


def _before(condition: str, names: set[str]) -> str:
    """The condition over the row as it was."""
    tree = sqlglot.parse_one(condition, dialect="duckdb")
    for column in tree.find_all(exp.Column):
        if column.name in names:
            column.this.set("this", column.name + BEFORE)
    return text(tree)
