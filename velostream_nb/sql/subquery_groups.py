"""An aggregated SELECT split in two, so that subqueries beside its aggregates join the groups and not the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.aggregates import is_aggregate_call, ungrouped
from velostream_nb.sql.plan_window import WINDOW_COLUMNS
from velostream_nb.sql.scope import named
from velostream_nb.sql.select_list import output_name
from velostream_nb.sql.subquery_names import Local, Names, Resolver, bare, has_query

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

GROUPS = "grouped"
"""Alias of the inner half."""
_SETS = ("rollup", "cube", "grouping_sets")


def aggregate_calls(tree: exp.Expr) -> list[exp.Expr]:
    """Aggregates of this SELECT in an expression: not those of nested queries, and no window functions."""
    found = []
    if isinstance(tree, exp.Query):
        return []
    if is_aggregate_call(tree) and not isinstance(tree.parent, exp.Window):
        return [tree]
    for child in _children(tree):
        found += aggregate_calls(child)
    return found


def _children(tree: exp.Expr) -> list[exp.Expr]:
    """Child expressions; those of a window's own function, not the function itself."""
    if isinstance(tree, exp.Window):
        function = tree.this
        while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
            function = function.this
        rest = [e for e in tree.iter_expressions() if e is not tree.this]
        return [*function.iter_expressions(), *rest]
    return list(tree.iter_expressions())


def has_sets(group: exp.Expr | None) -> bool:
    """ROLLUP, CUBE or GROUPING SETS: several groupings at once."""
    if group is None:
        return False
    return any(group.args.get(k) for k in _SETS) or any(
        isinstance(e, exp.Rollup | exp.Cube | exp.GroupingSets) for e in group.expressions
    )


def is_aggregated(select: exp.Select) -> bool:
    """GROUP BY, HAVING, or an aggregate in the SELECT list."""
    if select.args.get("group") or select.args.get("having"):
        return True
    return any(aggregate_calls(e) for e in select.expressions)


def group_keys(select: exp.Select, names: Names) -> list[exp.Expr]:
    """What a SELECT groups by, window calls aside: numbers, names of items and ALL spelt out."""
    group = select.args.get("group")
    if group is None:
        return []
    bodies = [e.unalias() for e in select.expressions]
    keys = []
    if group.args.get("all"):
        keys += [b for b in bodies if not aggregate_calls(b) and not b.find(exp.Window) and not has_query(b)]
    parts = [*group.expressions, *(p for name in _SETS for p in group.args.get(name) or [])]
    for item in (e for part in parts for e in _members(part)):
        if isinstance(item, exp.Anonymous) and item.name.upper().startswith("VELO_"):
            continue
        keys.append(_spelt_out(item, select, names))
    return keys


def _members(part: exp.Expr) -> list[exp.Expr]:
    if isinstance(part, exp.Tuple | exp.Rollup | exp.Cube | exp.GroupingSets):
        return [e for inner in part.expressions for e in _members(inner)]
    return [bare(part)]


def _spelt_out(item: exp.Expr, select: exp.Select, names: Names) -> exp.Expr:
    if isinstance(item, exp.Literal) and not item.is_string and 1 <= int(item.name) <= len(select.expressions):
        numbered: exp.Expr = select.expressions[int(item.name) - 1].unalias()
        return numbered
    if isinstance(item, exp.Column) and not item.table and not names.has_column(item):
        for other in select.expressions:
            if isinstance(other, exp.Alias) and other.alias.lower() == item.name.lower():
                return other.unalias()
    return item


def needs_split(select: exp.Select) -> bool:
    """Does a subquery stand beside the aggregates (in HAVING, in the SELECT list), and not inside of one?"""
    if not is_aggregated(select):
        return False
    having, qualify = select.args.get("having"), select.args.get("qualify")
    return any(_query_outside(e) for e in (*select.expressions, having, qualify) if e is not None)


def _query_outside(tree: exp.Expr) -> bool:
    if isinstance(tree, exp.Query):
        return True
    if is_aggregate_call(tree) and not isinstance(tree.parent, exp.Window):
        return False
    return any(_query_outside(child) for child in tree.iter_expressions())


def split_groups(planner: Planner, resolver: Resolver, select: exp.Select, local: Local) -> exp.Select:
    """``SELECT … FROM (SELECT keys, aggregates … GROUP BY …) AS grouped WHERE having``, the same query."""
    return _Split(planner, resolver, select, local).build()


class _Split:
    def __init__(self, planner: Planner, resolver: Resolver, select: exp.Select, local: Local) -> None:
        self.planner = planner
        self.resolver = resolver
        self.select = select
        self.local = local
        self.names = resolver.names(select, local)
        self.keys = [(self._canonical(k), k) for k in group_keys(select, self.names)]
        self.columns: dict[str, exp.Alias] = {}
        """Canonical text to the inner half's column."""

    def build(self) -> exp.Select:
        select = self.select
        # the key columns first: GROUP BY ALL groups by exactly those
        for canonical, key in self.keys:
            self._column(canonical, key)
        items = [self._item(e, n) for n, e in enumerate(select.expressions, start=1)]
        having, qualify = select.args.get("having"), select.args.get("qualify")
        outer = exp.Select(expressions=items)
        if having is not None:
            outer.set("where", exp.Where(this=self._rewritten(having.this)))
        if qualify is not None:
            outer.set("qualify", exp.Qualify(this=self._rewritten(qualify.this)))
        if select.args.get("windows"):
            outer.set("windows", [self._rewritten(w) for w in select.args["windows"]])
        for clause in ("distinct", "order", "limit", "offset", "with_"):
            if select.args.get(clause):
                outer.set(clause, select.args[clause])
        inner = exp.Select(expressions=list(self.columns.values()))
        for clause in ("from_", "joins", "where", "group"):
            if select.args.get(clause):
                inner.set(clause, select.args[clause])
        group = inner.args.get("group")
        if group is not None and not has_sets(group):
            # the inner half has another SELECT list: numbers and names of items are spelt out
            group.set("expressions", [_spelt_out(e, select, self.names).copy() for e in group.expressions])
        outer.set(
            "from_", exp.From(this=exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(GROUPS))))
        )
        return outer

    def _item(self, item: exp.Expr, number: int) -> exp.Expr:
        if item.is_star:
            self.planner.refuse("* beside aggregates and a subquery", "list the columns", item)
        if isinstance(item, exp.Alias):
            return exp.Alias(this=self._rewritten(item.this), alias=item.args["alias"].copy())
        name = exp.to_identifier(output_name(item, number), quoted=True)
        return exp.Alias(this=self._rewritten(item), alias=name)

    def _rewritten(self, tree: exp.Expr) -> exp.Expr:
        """The expression over the inner half's columns."""
        tree = tree.copy()
        return self._visit(tree)

    def _visit(self, node: exp.Expr) -> exp.Expr:
        canonical = self._canonical(node)
        if any(canonical == key for key, _ in self.keys):
            return self._reference(canonical, node)
        if isinstance(node, exp.Query):
            self._visit_nested(node)
            return node
        if is_aggregate_call(node) and not isinstance(node.parent, exp.Window):
            self._column(canonical, node)
            return self._reference(canonical, node)
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            return self._name(node)
        for child in _children(node):
            new = self._visit(child)
            if new is not child:
                child.replace(new)
        return node

    def _visit_nested(self, query: exp.Expr) -> None:
        """Columns of a nested query that are ours: keys of the groups."""
        for column in self.resolver.free(query, self.local):
            if self.names.owns(column) or column.name.lower() in WINDOW_COLUMNS:
                column.replace(self._visit(column))

    def _name(self, column: exp.Column) -> exp.Expr:
        if not column.table and not self.names.has_column(column):
            if column.name.lower() in WINDOW_COLUMNS:
                self._column(column.name.lower(), column)
                return self._reference(column.name.lower(), column)
            for item in self.select.expressions:
                if isinstance(item, exp.Alias) and item.alias.lower() == column.name.lower():
                    return exp.paren(self._rewritten(item.this), copy=False)
        if self.names.has_column(column):
            self.planner.refuse(*ungrouped(column), column)
        return column

    def _column(self, canonical: str, node: exp.Expr) -> None:
        if canonical not in self.columns:
            taken = {c.alias.lower() for c in self.columns.values()}
            own = node.name if isinstance(node, exp.Column) else ""
            name = own if own and own.lower() not in taken else f"__g{len(self.columns)}"
            self.columns[canonical] = exp.Alias(this=node.copy(), alias=exp.to_identifier(name, quoted=True))

    def _reference(self, canonical: str, node: exp.Expr) -> exp.Expr:
        column = named(self.columns[canonical].alias, node)
        column.set("table", exp.to_identifier(GROUPS))
        return column

    def _canonical(self, tree: exp.Expr) -> str:
        """Text that is equal for equal expressions however their columns are qualified."""
        rename: Callable[[exp.Expr], exp.Expr] = lambda n: self._qualified(n)  # noqa: E731
        return str(tree.transform(rename).sql(dialect="duckdb", comments=False, normalize_functions="upper"))

    def _qualified(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            found = self.names.qualified(node)
            return exp.column(found[1], found[0], quoted=True) if found else node
        return node
