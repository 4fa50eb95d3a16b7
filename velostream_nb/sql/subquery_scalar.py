"""Scalar subqueries: aggregates without GROUP BY, rows by their key, and SELECTs without FROM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.aggregates import is_aggregate_call
from velostream_nb.sql.scope import conjuncts, text
from velostream_nb.sql.subquery_groups import group_keys, is_aggregated
from velostream_nb.sql.subquery_inner import OUTER, Inner, is_outer, reads_inner
from velostream_nb.sql.subquery_names import bare

if TYPE_CHECKING:
    from velostream_nb.sql.plan_subquery import Block

OVER_NOTHING = {"count": "0", "count_star": "0", "approx_count_distinct": "0", "regr_count": "0", "entropy": "0.0"}
"""Aggregates whose value over no rows is not NULL."""

_ROW_HINT = (
    "make it an aggregate, such as max(x) or arg_max(x, time), or look a table's row up by its whole primary key; "
    "for the newest row before another one write ASOF LEFT JOIN"
)
_TIE_HINT = "compare with = only; for rows up to a time write a window function, or a join with GROUP BY"


class Scalars:
    """Makes values of scalar subqueries."""

    def __init__(self, block: Block) -> None:
        self._block = block

    def value(self, node: exp.Subquery) -> exp.Expr:
        """The subquery's value as an expression; refused when it may have several rows or columns."""
        inner = self._block.inner(node)
        if len(inner.items) > 1 or (inner.items and inner.items[0].is_star):
            self._block.planner.refuse(
                "a scalar subquery with several columns", "select one column, or join with a WITH part", node
            )
        return exp.paren(self.values(inner, node)[0], copy=False)

    def values(self, inner: Inner, node: exp.Expr) -> list[exp.Expr]:
        """The values of a subquery's one row, NULL when it has none."""
        if not isinstance(inner.query, exp.Select):
            self._block.planner.refuse("a scalar subquery that may have several rows", _ROW_HINT, node)
        if not inner.has_from:
            condition = [*conjuncts(_where(inner.select)), *inner.ties]
            return [_when(condition, item) for item in inner.items]
        if inner.is_one_row:
            return self._aggregates(inner)
        if not self._has_one_row(inner):
            self._block.planner.refuse("a scalar subquery that may have several rows", _ROW_HINT, node)
        return self._row(inner)

    def _aggregates(self, inner: Inner) -> list[exp.Expr]:
        select = inner.select
        for clause, what in (("limit", "LIMIT"), ("offset", "OFFSET"), ("qualify", "QUALIFY")):
            found = select.args.get(clause)
            if found is not None and not is_first_row(found):
                self._block.planner.refuse(f"{what} in a scalar subquery", "leave it out: there is one row", found)
        keys = inner.require_equal_ties("a scalar subquery compared with the outer query by more than =", _TIE_HINT)
        having = select.args.get("having")
        select.set("having", None)
        inner.group_by(keys)
        on = inner.conditions()
        values = [self._evaluated(inner, item) for item in inner.items]
        if having is not None:
            condition = self._evaluated(inner, having.this)
            values = [_when([condition], value) for value in values]
        self._join(inner, on)
        return values

    def _evaluated(self, inner: Inner, item: exp.Expr) -> exp.Expr:
        """The expression over the derived table's aggregates."""
        if not inner.ties and not is_outer(item):
            return inner.column(item)
        return self._visit(inner, item.copy())

    def _visit(self, inner: Inner, node: exp.Expr) -> exp.Expr:
        if is_aggregate_call(node):
            if is_outer(node):
                self._block.planner.refuse(
                    "a column of the outer query inside an aggregate of a subquery",
                    "compute it outside: sum(x) * o.rate for sum(x * o.rate)",
                    node,
                )
            column = inner.column(node)
            nothing = OVER_NOTHING.get(_function(node)) if inner.ties else None
            return exp.func("coalesce", column, exp.Literal.number(nothing)) if nothing else column
        if isinstance(node, exp.Column) and not node.meta.get(OUTER):
            self._block.planner.refuse(
                f"column {node.name!r} of a scalar subquery must be inside an aggregate",
                f"take any_value({node.name}) or arg_max({node.name}, time)",
                node,
            )
        for child in list(node.iter_expressions()):
            new = self._visit(inner, child)
            if new is not child:
                child.replace(new)
        return node

    def _row(self, inner: Inner) -> list[exp.Expr]:
        """A row that is told by its key, or none."""
        for clause in ("order", "limit"):
            inner.select.set(clause, None)
        on = inner.conditions()
        ties = inner.equal_ties()
        if inner.select.args.get("group") and ties is not None:
            inner.group_by([side for side, _ in ties])
        values = []
        for item in inner.items:
            if is_outer(item):
                found = exp.Not(this=exp.Is(this=inner.column(exp.true()), expression=exp.null()))
                values.append(_when([found], inner.lifted(item)))
            else:
                values.append(inner.column(item))
        self._block.joined.left(inner.relation(), inner.names(), on)
        return values

    def _join(self, inner: Inner, on: list[exp.Expr]) -> None:
        if on:
            self._block.joined.left(inner.relation(), inner.names(), on)
        else:
            self._block.joined.cross(inner.relation(), inner.names())

    def _has_one_row(self, inner: Inner) -> bool:
        """Do the conditions tell one row at most?"""
        select = inner.select
        kept = any(select.args.get(k) for k in ("offset", "qualify", "distinct", "joins", "having"))
        limit = select.args.get("limit")
        if kept or (limit is not None and not is_first_row(limit)):
            return False
        ties = inner.equal_ties()
        if ties is None or any(isinstance(bare(tie), exp.NullSafeEQ) for _, tie in ties):
            return False
        pinned = [side for side, _ in ties] + _constants(select)
        if select.args.get("group"):
            return {self._told(inner, k) for k in group_keys(select, inner.own)} <= {
                self._told(inner, p) for p in pinned
            }
        relation = select.args["from_"].this
        if isinstance(relation, exp.Subquery):
            return _is_one_row(relation.this)
        node = self._block.resolver.node(relation, inner.local)
        if node is None or not node.changes or node.key is None:
            return False
        names = {p.name.lower() for p in pinned if isinstance(p, exp.Column)}
        return {k.lower() for k in node.key} <= names

    def _told(self, inner: Inner, key: exp.Expr) -> str:
        found = inner.own.qualified(key) if isinstance(key, exp.Column) else None
        return ".".join(found) if found else text(key)


def is_first_row(limit: exp.Expr) -> bool:
    """LIMIT with a positive number: it leaves one row as it is."""
    number = limit.args.get("expression") if isinstance(limit, exp.Limit) else None
    return isinstance(number, exp.Literal) and not number.is_string and number.name.isdecimal() and int(number.name) > 0


def _is_one_row(query: exp.Expr) -> bool:
    return isinstance(query, exp.Select) and is_aggregated(query) and not query.args.get("group")


def _where(select: exp.Select) -> exp.Expr | None:
    where = select.args.get("where")
    return None if where is None else where.this


def _constants(select: exp.Select) -> list[exp.Expr]:
    """Expressions that WHERE compares with a constant by ``=``."""
    found = []
    for part in conjuncts(_where(select)):
        body = bare(part)
        if isinstance(body, exp.EQ):
            sides = ((body.left, body.right), (body.right, body.left))
            found += [one for one, other in sides if reads_inner(one) and not reads_inner(other)]
    return found


def _when(conditions: list[exp.Expr], value: exp.Expr) -> exp.Expr:
    """The value where all conditions hold, else NULL."""
    if not conditions:
        return value
    return exp.Case(ifs=[exp.If(this=exp.and_(*(c.copy() for c in conditions), copy=False), true=value)])


def _function(call: exp.Expr) -> str:
    found = re.match(r"\w+", text(call))
    return found[0].lower() if found else ""
