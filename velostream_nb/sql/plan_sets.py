"""DISTINCT, UNION, EXCEPT, INTERSECT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan import Keyed, Node
from velostream_nb.sql.plan_changes import KEY, group, ttl_us, union_all, warn_unbounded
from velostream_nb.sql.plan_over import plan_over
from velostream_nb.sql.scope import named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner


def distinct(planner: Planner, node: Node) -> Node:
    """SELECT DISTINCT: append-only when event time is among the columns, else a changelog keyed by all of them."""
    items: Items = [(named(c), c) for c in node.columns]
    if not node.changes and any(lag == 0 for lag in node.time.values()):
        number = exp.Window(this=exp.RowNumber(), partition_by=[e.copy() for e, _ in items])
        first = exp.EQ(this=number, expression=exp.Literal.number(1))
        return plan_over(planner, node, items, [], [first], [])
    warn_unbounded(planner, "DISTINCT", "every distinct row")
    return group(planner, node, items, [])


def set_operation(planner: Planner, tree: exp.SetOperation, sides: tuple[Node, Node]) -> Node:
    """UNION, EXCEPT, INTERSECT, each with or without ALL or BY NAME."""
    left, right = _aligned(planner, tree, sides)
    if left.changes != right.changes or not isinstance(tree, exp.Union):
        left, right = planner.changes(left), planner.changes(right)
    if isinstance(tree, exp.Union):
        both = union_all((left, right))
        return distinct(planner, both) if tree.args.get("distinct") else both
    word = tree.key.upper()
    warn_unbounded(planner, word, "the rows of both sides")
    plain = ", ".join(text(named(c)) for c in left.columns)
    other = ", ".join(text(named(c)) for c in right.columns)
    every = bool(tree.args.get("distinct"))
    return Keyed(
        inputs=(left, right),
        columns=left.columns,
        pos=(),
        time={},
        changes=True,
        key=left.columns if every else None,
        by=(tuple(text(named(c)) for c in left.columns), tuple(text(named(c)) for c in right.columns)),
        sql=f"SELECT {plain}, {KEY} FROM __in0 {word}{'' if every else ' ALL'} SELECT {other}, {KEY} FROM __in1",
        what=f"{word.lower()}{'' if every else ' all'}",
        ttl_us=ttl_us(planner),
    )


def _aligned(planner: Planner, tree: exp.SetOperation, sides: tuple[Node, Node]) -> tuple[Node, Node]:
    """The sides with the column names (and, BY NAME, the order) of the left one."""
    left, right = sides
    if tree.args.get("by_name"):
        columns = [*left.columns, *(c for c in right.columns if c.lower() not in {n.lower() for n in left.columns})]
        return _by_name(planner, left, columns), _by_name(planner, right, columns)
    if len(left.columns) != len(right.columns):
        planner.refuse(
            f"the sides of {tree.key.upper()} have {len(left.columns)} and {len(right.columns)} columns",
            "select as many columns on both sides, or write UNION ALL BY NAME",
            tree,
        )
    items: Items = [(named(c), name) for c, name in zip(right.columns, left.columns, strict=True)]
    return left, planner.project(right, items, [])


def _by_name(planner: Planner, node: Node, columns: list[str]) -> Node:
    own = {c.lower(): c for c in node.columns}
    items: Items = [(named(own[c.lower()]) if c.lower() in own else exp.null(), c) for c in columns]
    return planner.project(node, items, [])
