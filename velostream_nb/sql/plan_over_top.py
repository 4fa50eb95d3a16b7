"""Ranks that pick rows: the best n, or the newest, of every key, as a changelog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.plan import Latest, Node, Project, TopN
from velostream_nb.sql.plan_over_frame import ordering_of
from velostream_nb.sql.plan_over_function import whole_number
from velostream_nb.sql.scope import inlined, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

RANK = "__rank"
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)
_KEEP = "__keep"
"""Column that says whether a row satisfies what else stands in QUALIFY."""


@dataclass(frozen=True, slots=True)
class RankLimit:
    """``ROW_NUMBER() OVER (…) <= n`` among the conditions of QUALIFY.

    Attributes:
        most: no row with a higher rank is asked for.
        condition: which of the conditions it is.
        whole: the condition says nothing more than that.
    """

    window: exp.Window
    most: int
    condition: exp.Expr
    whole: bool


def rank_limit(conditions: list[exp.Expr], items: Items, window: exp.Window | None = None) -> RankLimit | None:
    """The condition that bounds a rank (that of `window`, when it is given) from above; None when there is none."""
    for condition in conditions:
        found = _limit_of(inlined(condition, items))
        if found is not None and (window is None or found[0] == window):
            return RankLimit(found[0], found[1], condition, found[2])
    return None


def _limit_of(condition: exp.Expr) -> tuple[exp.Window, int, bool] | None:
    """(rank, greatest value, whether that is all) of a comparison with constants."""
    condition = condition.unnest()
    low: exp.Expr | None = None
    if isinstance(condition, exp.Between):
        rank, bound, low = condition.this, condition.args["high"], condition.args["low"]
    elif isinstance(condition, exp.EQ | exp.LTE | exp.LT):
        rank, bound = condition.left, condition.right
    elif isinstance(condition, exp.GTE | exp.GT):
        rank, bound = condition.right, condition.left
    else:
        return None
    if isinstance(condition, exp.EQ) and not isinstance(rank.unnest(), exp.Window):
        rank, bound = bound, rank
    rank, most = rank.unnest(), whole_number(bound.unnest())
    if not isinstance(rank, exp.Window) or not isinstance(rank.this, _RANKS) or most is None:
        return None
    if isinstance(condition, exp.LT | exp.GT):
        most -= 1
    if low is None:
        return rank, most, not isinstance(condition, exp.EQ) or most <= 1
    lowest = whole_number(low.unnest())
    return rank, most, lowest is not None and lowest <= 1


def top(planner: Planner, node: Node, block: Node, items: Items, conditions: list[exp.Expr], limit: RankLimit) -> Node:
    """The rows of the node whose rank is within the limit.

    Args:
        block: the block's input, whose columns the window names.
        items, conditions: what is left of the SELECT; they may name the rank's window.
    """
    ranked = [(_with_rank(e, limit.window), name) for e, name in items]
    rest = [_with_rank(inlined(c, items), limit.window) for c in conditions if not _is(c, limit, items)]
    number = isinstance(limit.window.this, exp.RowNumber)
    ordering = ordering_of(limit.window.args.get("order"), block)
    newest = ordering is not None and ordering.given and ordering.desc and not ordering.ties and ordering.by is None
    if number and newest and limit.most == 1:
        return _latest(planner, node, ranked, rest, limit)
    partition = _partition(planner, node, limit.window)
    node, keys = partition
    order = [o.copy() for o in limit.window.args["order"].expressions] if limit.window.args.get("order") else []
    if number:
        order += [exp.Ordered(this=named(c), desc=newest or None) for c in (TS, *node.pos)]
    window = exp.Window(this=limit.window.this.copy(), over="OVER", partition_by=[named(k) for k in keys])
    if order:
        window.set("order", exp.Order(expressions=order))
    made = TopN(
        inputs=(node,),
        columns=tuple(name for _, name in (*ranked, *_kept(rest))),
        pos=(),
        time={},
        changes=True,
        key=_key(ranked, keys, limit, number),
        items=tuple((text(e), name) for e, name in (*ranked, *_kept(rest))),
        rank=text(window),
        condition=f"{RANK} <= {limit.most}",
        partition=keys,
    )
    return _shown(made, ranked, rest)


def _latest(planner: Planner, node: Node, items: Items, rest: list[exp.Expr], limit: RankLimit) -> Node:
    """``ROW_NUMBER() OVER (PARTITION BY k ORDER BY time DESC) = 1``: the newest row per key."""
    one = exp.cast(exp.Literal.number(1), "BIGINT")
    items = [(_rank_as(e, one), name) for e, name in items]
    rest = [_rank_as(c, one) for c in rest]
    known = [(e.unnest(), name) for e, name in items]
    keys: list[str] = []
    hidden: Items = []
    for tree in limit.window.args.get("partition_by") or []:
        name = next((n for e, n in known if e == tree.unnest()), None)
        if name is None:
            name = f"__k{len(hidden)}"
            hidden.append((tree.copy(), name))
        keys.append(name)
    projected = planner.project(node, [*items, *hidden, *_kept(rest)], [])
    latest = Latest(
        inputs=(projected,),
        columns=projected.columns,
        pos=(),
        time={},
        changes=True,
        key=tuple(keys),
        keys=tuple(keys),
    )
    return _shown(latest, items, rest)


def _shown(node: Node, items: Items, rest: list[exp.Expr]) -> Node:
    """The SELECT's own columns, of the rows that satisfy the other conditions."""
    names = tuple(name for _, name in items)
    if not rest and node.columns == names:
        return node
    key = node.key if node.key is not None and set(node.key) <= set(names) else None
    return Project(
        inputs=(node,),
        columns=names,
        pos=(),
        time={},
        changes=True,
        key=key,
        items=tuple((text(named(n)), n) for n in names),
        where=_KEEP if rest else None,
    )


def _kept(rest: list[exp.Expr]) -> Items:
    if not rest:
        return []
    return [(exp.and_(*(exp.paren(c.copy()) for c in rest)), _KEEP)]


def _is(condition: exp.Expr, limit: RankLimit, items: Items) -> bool:
    """Is it the limit, and nothing but a limit?"""
    found = _limit_of(inlined(condition, items))
    return found is not None and limit.whole and found[:2] == (limit.window, limit.most)


def _partition(planner: Planner, node: Node, window: exp.Window) -> tuple[Node, tuple[str, ...]]:
    """The node with the partition's expressions as columns."""
    extra: Items = []
    keys = []
    for tree in window.args.get("partition_by") or []:
        column = is_column(tree, node.columns)
        if column is None:
            column = f"__k{len(extra)}"
            extra.append((tree.copy(), column))
        keys.append(column)
    return planner.filtered(node, [], extra), tuple(keys)


def _key(items: Items, keys: tuple[str, ...], limit: RankLimit, number: bool) -> tuple[str, ...] | None:
    """Output columns that no two of the picked rows share."""
    if not number:
        return None
    names = {c: name for e, name in reversed(items) if (c := is_column(e, (*keys, RANK))) is not None}
    only_one = limit.most == 1 or isinstance(limit.condition.unnest(), exp.EQ)
    wanted = keys if only_one else (*keys, RANK)
    return tuple(names[k] for k in wanted) if all(k in names for k in wanted) else None


def _with_rank(tree: exp.Expr, window: exp.Window) -> exp.Expr:
    def visit(node: exp.Expr) -> exp.Expr:
        return named(RANK) if isinstance(node, exp.Window) and node == window else node

    return tree.copy().transform(visit, copy=False)


def _rank_as(tree: exp.Expr, value: exp.Expr) -> exp.Expr:
    def visit(node: exp.Expr) -> exp.Expr:
        return value.copy() if isinstance(node, exp.Column) and node.name == RANK else node

    return tree.copy().transform(visit, copy=False)
