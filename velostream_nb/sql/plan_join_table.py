"""Joins with a table: each row of a stream meets the rows that the table has when it is processed."""

from __future__ import annotations

from velostream_nb.sql.plan import Node, Project, Table, TableJoin
from velostream_nb.sql.plan_changes import regular_join
from velostream_nb.sql.plan_join_sides import Filters, Sides, both_sql

_STREAM_ON_THE_RIGHT = {"inner": "inner", "right": "left"}
"""The join as the stream sees it when the table stands on the left; other kinds keep rows of the table."""


def table_of(node: Node) -> Table | None:
    """The table that a node is, perhaps projected; None for anything else."""
    while isinstance(node, Project) and node.changes:
        node = node.inputs[0]
    return node if isinstance(node, Table) else None


def changelog_join(sides: Sides, filters: Filters) -> Node:
    """A join with a changelog: a stream with a table where rows of the stream are asked for, else a regular join."""
    conditions = list(sides.conditions)
    if sides.kind == "inner":
        conditions += filters.take(filters.of_both(sides))
    equal = sides.equalities(conditions)
    sides.same(equal)
    below = filters.pushed(sides)
    left, right = sides.planner.filtered(sides.left, below[0]), sides.planner.filtered(sides.right, below[1])
    if table_of(right) is not None and not left.changes and sides.kind in ("inner", "left", "semi", "anti"):
        return _table_join(sides, sides.kind, (right, left), both_sql(conditions), [b for _, b in equal])
    if table_of(left) is not None and not right.changes and sides.kind in _STREAM_ON_THE_RIGHT:
        kind = _STREAM_ON_THE_RIGHT[sides.kind]
        return _table_join(sides, kind, (left, right), both_sql(conditions), [a for a, _ in equal], swapped=True)
    planner, pairs = sides.planner, (sides.left_pairs, sides.right_pairs)
    return regular_join(planner, sides.kind, left, right, *pairs, equal, both_sql(conditions))


def _table_join(
    sides: Sides, kind: str, inputs: tuple[Node, Node], condition: str, keys: list[str], *, swapped: bool = False
) -> Node:
    """Args: inputs: (table, stream); keys: the table's columns that equal one of the stream's; swapped: table first."""
    table, stream = inputs
    table_pairs, stream_pairs = sides.left_pairs, sides.right_pairs
    names = sides.names
    if not swapped:
        table_pairs, stream_pairs, names = stream_pairs, table_pairs, (names[1], names[0])
    one = table.key is not None and set(table.key) <= set(keys)
    several = not one and kind in ("inner", "left")
    source = table_of(table)
    if source is not None and source.stream.rows is None:
        time = next((o for c, o in stream_pairs if c in stream.time), f"{names[1]}.time")
        sides.planner.note(
            f"the join of {names[1]} and {names[0]} joins each row with the table's row at the moment it is "
            f"processed; {names[0]} FOR SYSTEM_TIME AS OF {time} gives the row in force at its event time"
        )
    renamed = dict(stream_pairs)
    return TableJoin(
        inputs=inputs,
        columns=sides.columns,
        pos=(*stream.pos, f"__pos{len(stream.pos)}") if several else stream.pos,
        time={renamed[c]: lag for c, lag in stream.time.items()},
        kind=kind,
        condition=condition,
        table_columns=table_pairs,
        stream_columns=stream_pairs,
        several=several,
    )
