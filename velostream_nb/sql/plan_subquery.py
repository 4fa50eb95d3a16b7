"""Subqueries in expressions become joins with derived tables, in the tree, before anything is planned.

| written | becomes |
| --- | --- |
| ``x IN (…)``, ``EXISTS (…)``, ``x < ANY (…)`` as a condition of WHERE or HAVING | SEMI JOIN, ANTI JOIN |
| the same inside of OR, CASE or the SELECT list | LEFT JOIN with the distinct rows, and a test for NULL |
| a scalar subquery, uncorrelated | CROSS JOIN with one row |
| a scalar subquery, correlated by equalities | LEFT JOIN with groups, a missing group counting as no rows |

NULLs mean what they mean in SQL: ``x NOT IN (…)`` is not true where x or a value is NULL, unless there are no values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan_over import has_window
from velostream_nb.sql.scope import conjuncts
from velostream_nb.sql.select_list import output_name
from velostream_nb.sql.subquery_groups import needs_split, split_groups
from velostream_nb.sql.subquery_inner import OUTER, Inner, is_outer
from velostream_nb.sql.subquery_joins import Joined
from velostream_nb.sql.subquery_members import Members, Quantified, quantified
from velostream_nb.sql.subquery_names import (
    Ctes,
    Local,
    Names,
    Resolver,
    bare,
    expressions_of,
    has_query,
    nested_queries,
    replaced_columns,
)
from velostream_nb.sql.subquery_scalar import Scalars

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

_FIXED = ("group", "order", "limit", "offset", "distinct")
"""Clauses that take no subquery."""


def unnest_subqueries(planner: Planner, select: exp.Select, ctes: Ctes) -> exp.Select:
    """One SELECT without subqueries in its expressions; those of FROM and WITH are left to whoever plans them.

    Args:
        ctes: the WITH parts in sight, by lower-case name.

    Returns:
        A copy; the same object when there is nothing to do.

    Raises:
        UnsupportedError: a subquery that is no join; names the construct, its place, and what to write instead.
        BindError: it reads a stream that nobody knows.
    """
    if not any(has_query(e) for e in expressions_of(select)):
        return select
    return Block(planner, Resolver(planner, ctes), select.copy(), {}, ()).build()


class Block:
    """One SELECT on its way to having no subqueries in its expressions.

    Args:
        local: the WITH parts in sight that the planner has not planned yet: those written inside of a subquery.

    Attributes:
        select: the SELECT, changed in place.
        names: what names mean in it.
        joined: the joins made so far.
    """

    def __init__(
        self, planner: Planner, resolver: Resolver, select: exp.Select, local: Local, outers: tuple[Names, ...]
    ) -> None:
        self.planner = planner
        self.resolver = resolver
        self.local = local
        self.select = split_groups(planner, resolver, select, self.local) if needs_split(select) else select
        self.names = resolver.names(self.select, self.local)
        self.joined = Joined({alias for alias, _ in self.names.inputs})
        self._outers = outers
        self.members = Members(self)
        self.scalars = Scalars(self)

    def build(self) -> exp.Select:
        select = self.select
        for clause in _FIXED:
            found = select.args.get(clause)
            if found is not None and has_query(found):
                self.planner.refuse(
                    f"a subquery in {clause.upper()}", "compute it in a WITH part, and name its column", found
                )
        self._where()
        for root in list(expressions_of(select)):
            if root.arg_key not in ("where", *_FIXED) and not isinstance(root.parent, exp.Join) and has_query(root):
                self._in_place(root)
        for join in self.joined.joins:
            select.append("joins", join)
        self._hide_added()
        return select

    # -- clauses ----------------------------------------------------------------------------------------------------

    def _where(self) -> None:
        where = self.select.args.get("where")
        parts = [*conjuncts(where.this if where else None), *self._from_joins()]
        windowed = any(has_window(p) for p in parts)
        kept = []
        for part in parts:
            if not has_query(part):
                kept.append(part)
                continue
            made = len(self.joined.joins)
            left = self._condition(self._spelt_out(part))
            kept += left if windowed else [p for p in left if not self.joined.takes(p, since=made)]
        if self.joined.filters and any(has_window(p) for p in kept):
            self.planner.refuse(
                "a window function and a subquery in one WHERE",
                "move the condition with the window function to QUALIFY",
                next(p for p in kept if has_window(p)),
            )
        self.select.set("where", exp.Where(this=exp.and_(*kept, copy=False)) if kept else None)

    def _from_joins(self) -> list[exp.Expr]:
        """Conditions of inner joins with subqueries: they may as well stand in WHERE."""
        found = []
        for join in self.select.args.get("joins") or []:
            on = join.args.get("on")
            if not has_query(on):
                continue
            if join.side or (join.kind or "").upper() not in ("", "INNER") or join.args.get("method"):
                self.planner.refuse(
                    "a subquery in the condition of this join",
                    "put it into a derived table: JOIN (SELECT … WHERE x IN (…)) AS t ON …",
                    next(nested_queries(on)),
                )
            parts = conjuncts(on)
            found += [p for p in parts if has_query(p)]
            rest = [p for p in parts if not has_query(p)]
            join.set("on", exp.and_(*rest, copy=False) if rest else exp.true())
        return found

    def _spelt_out(self, part: exp.Expr) -> exp.Expr:
        """The condition with names of SELECT items as what they stand for: the ON of a join knows no items."""
        new: dict[int, exp.Expr] = {}
        for column in part.find_all(exp.Column):
            own = column.find_ancestor(exp.Query) is self.select and not self.names.has_column(column)
            item = self._item_of(column) if own and not column.table else None
            if item is not None and not has_window(item) and not has_query(item):
                new[id(column)] = exp.paren(item.copy(), copy=False)
        return replaced_columns(part, new)

    def _condition(self, part: exp.Expr) -> list[exp.Expr]:
        """One conjunct of WHERE as joins and the conditions that are left."""
        body, negated = bare(part), False
        while isinstance(body, exp.Not):
            body, negated = bare(body.this), not negated
        if isinstance(body, exp.Or if negated else exp.And):
            sides = [exp.not_(s, copy=False) if negated else s for s in (body.left, body.right)]
            return [p for s in sides for p in ([s] if not has_query(s) else self._condition(s))]
        if isinstance(body, exp.Exists) and has_query(body):
            return self.members.exists_condition(body, negated)
        found = quantified(body)
        if found is not None:
            return self.members.condition(found, negated)
        return [self.replaced(part, positive=True)]

    def _in_place(self, root: exp.Expr) -> None:
        new = self.replaced(root)
        if root.parent is self.select and root.arg_key == "expressions" and not isinstance(root, exp.Alias):
            new = exp.alias_(new, output_name(root.copy(), (root.index or 0) + 1), quoted=True)
        if new is not root:
            root.replace(new)

    def _hide_added(self) -> None:
        """``*`` means the columns that were in FROM."""
        for item in self.select.expressions:
            if isinstance(item, exp.Star) and self.joined.added:
                hidden = [exp.to_identifier(name, quoted=True) for name in self.joined.added]
                item.set("except_", [*(item.args.get("except_") or []), *hidden])

    # -- expressions ------------------------------------------------------------------------------------------------

    def replaced(self, node: exp.Expr, *, positive: bool = False) -> exp.Expr:
        """The expression with columns in the place of its subqueries.

        Args:
            positive: NULL means no more than false here: a condition that is ANDed or ORed with others.
        """
        if not has_query(node):
            return node
        found = quantified(node)
        if found is not None:
            return self.members.value(found, positive=positive)
        if isinstance(node, exp.Exists):
            return self.members.exists_value(node)
        if isinstance(node, exp.Subquery):
            return self.scalars.value(node)
        if isinstance(node, exp.Query | exp.Array):
            self.planner.refuse(
                "a query in the place of a list", "write (SELECT list(x) FROM …), or join with a WITH part", node
            )
        inside = positive and isinstance(node, exp.And | exp.Or | exp.Paren)
        for child in list(node.iter_expressions()):
            new = self.replaced(child, positive=inside)
            if new is not child:
                child.replace(new)
        return node

    def inner(self, query: exp.Expr) -> Inner:
        """A nested query taken apart; it may be asked for again (each time it is another derived table)."""
        query = self._bare(query)
        self._mark(query)
        if is_outer(query) and isinstance(query, exp.Select) and any(has_query(e) for e in expressions_of(query)):
            local = self.resolver.local(query, self.local)
            query = Block(self.planner, self.resolver, query, local, (self.names, *self._outers)).build()
            self._mark(query)
        inner = Inner(query, self.joined.number(), self.names, self.resolver, self.local, self.planner.refuse)
        inner.open()
        return inner

    def quantified_over(self, found: Quantified) -> Inner:
        """The subquery of IN, ANY or ALL, as wide as what is compared with it."""
        inner = self.inner(found.query)
        if not inner.items or (len(inner.items) == 1 and inner.items[0].is_star):
            inner.items = [exp.column(c, quoted=True) for c in self.resolver.outputs(inner.query, self.local)]
        if len(inner.items) != len(found.values):
            self.planner.refuse(
                f"{len(found.values)} value{'s' * (len(found.values) > 1)} compared with {len(inner.items)} columns",
                "select one column for each value",
                found.query,
            )
        return inner

    def _bare(self, query: exp.Expr) -> exp.Expr:
        while isinstance(query, exp.Subquery | exp.Paren):
            clauses = [k for k, v in query.args.items() if v and k not in ("this", "alias")]
            if clauses:
                self.planner.refuse(
                    f"{clauses[0].upper()} behind a query in brackets", "put the clause inside of the brackets", query
                )
            query = query.this
        return query.copy()

    def _mark(self, query: exp.Expr) -> None:
        """Mark the columns that belong to this SELECT, or to one around it."""
        for column in query.find_all(exp.Column):
            column.meta.pop(OUTER, None)
        for column in self.resolver.free(query, self.local):
            if self.names.has_column(column) or any(outer.owns(column) for outer in self._outers):
                column.meta[OUTER] = True
            elif self.names.owns(column):
                column.replace(self._item(column))

    def _item_of(self, column: exp.Column) -> exp.Expr | None:
        """The SELECT item of that name, None when there is none."""
        for item in self.select.expressions:
            if isinstance(item, exp.Alias) and item.alias.lower() == column.name.lower():
                return item.unalias()
        return None

    def _item(self, column: exp.Column) -> exp.Expr:
        """A SELECT item that a subquery names, as what it stands for."""
        found = self._item_of(column)
        if found is None:  # window_start of this SELECT's own GROUP BY
            self.planner.refuse(
                f"{column.name} of the outer query in a subquery", "take it from a WITH part with the window", column
            )
        if has_window(found) or has_query(found):
            self.planner.refuse(
                f"{column.name} is computed beside the subquery that names it", "compute it in a WITH part", column
            )
        body = found.copy()
        for inside in body.find_all(exp.Column):
            inside.meta[OUTER] = True
        return exp.paren(body, copy=False)
