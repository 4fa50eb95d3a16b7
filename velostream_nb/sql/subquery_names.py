"""Whose column is it: names of a query nested in another, inner scope first, as DuckDB resolves them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from velostream_nb.sql.plan import Node, Source, Table
from velostream_nb.sql.plan_window import WINDOW_COLUMNS, annotation, is_annotation
from velostream_nb.sql.scope import text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

Ctes = Mapping[str, "Node | exp.Expr"]
Local = Mapping[str, "list[str]"]
"""WITH parts written inside a subquery: lower-case name to its columns."""


@dataclass(frozen=True, slots=True)
class Names:
    """What names can mean in one SELECT, all in lower case.

    Attributes:
        inputs: alias and columns of each item of FROM.
        items: aliases of the SELECT list, and the columns that a window in GROUP BY makes.
        structs: columns known to be structs: ``a.b`` may be field b of such an a.
    """

    inputs: tuple[tuple[str, frozenset[str]], ...]
    items: frozenset[str]
    structs: frozenset[str] = frozenset()

    def has_column(self, column: exp.Column) -> bool:
        """Is it a column of FROM (or a field of a struct column there)?"""
        first, *fields = (part.name.lower() for part in column.parts)
        if fields:
            return first in self.structs or any(first == alias for alias, _ in self.inputs)
        return any(first in columns for _, columns in self.inputs)

    def owns(self, column: exp.Column) -> bool:
        """Is it a column of FROM or, unqualified, an item of the SELECT list?"""
        return self.has_column(column) or (not column.table and column.name.lower() in self.items)

    def qualified(self, column: exp.Column) -> tuple[str, str] | None:
        """(alias, column) of a column of FROM; None when it is none, or in several inputs."""
        name, table = column.name.lower(), column.table.lower()
        found = [(a, name) for a, columns in self.inputs if name in columns and table in ("", a)]
        return found[0] if len(found) == 1 else None


class Resolver:
    """Finds the names of SELECTs by way of the planner's catalog and WITH parts."""

    def __init__(self, planner: Planner, ctes: Ctes) -> None:
        self._planner = planner
        self._ctes = ctes

    def names(self, select: exp.Select, local: Local) -> Names:
        """The names of one SELECT; BindError when it reads a stream that nobody knows."""
        items = {e.alias.lower() for e in select.expressions if isinstance(e, exp.Alias)}
        group = select.args.get("group")
        if group is not None and any(isinstance(g, exp.Anonymous) for g in group.expressions):
            items |= set(WINDOW_COLUMNS)
        inputs = ((a, frozenset(columns)) for a, columns in self._inputs(select, local))
        structs = (c for relation in _relations(select) for c in self._structs(relation, local))
        return Names(tuple(inputs), frozenset(items), frozenset(structs))

    def outputs(self, query: exp.Expr, local: Local) -> list[str]:
        """Lower-case names of a query's columns, in order."""
        local = self.local(query, local)
        if isinstance(query, exp.SetOperation | exp.Subquery):
            return self.outputs(query.this, local)
        if not isinstance(query, exp.Select):
            return []
        found: list[str] = []
        for item in query.expressions:
            star = item.this if isinstance(item, exp.Column) else item
            if isinstance(star, exp.Star):
                table = item.table.lower() if isinstance(item, exp.Column) else ""
                dropped = {e.name.lower() for e in star.args.get("except_") or []}
                inputs = [columns for a, columns in self._inputs(query, local) if table in ("", a)]
                found += [c for columns in inputs for c in columns if c not in dropped]
            else:
                found.append((item.alias_or_name or text(item)).lower())
        return found

    def local(self, query: exp.Expr, local: Local) -> Local:
        """`local` with the query's own WITH parts."""
        with_ = query.args.get("with_")
        if with_ is None:
            return local
        known = dict(local)
        for cte in with_.expressions:
            columns = [c.name.lower() for c in cte.args["alias"].columns]
            known[cte.alias.lower()] = columns or self.outputs(cte.this, known)
        return known

    def free(self, query: exp.Expr, local: Local) -> list[exp.Column]:
        """The columns in a query that no SELECT of its own gives, at any depth."""
        inner = self.local(query, local)
        found: list[exp.Column] = []
        with_ = query.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            found += self.free(cte.this, inner)
        if isinstance(query, exp.SetOperation):
            return found + self.free(query.this, inner) + self.free(query.expression, inner)
        if isinstance(query, exp.Subquery):
            return found + self.free(query.this, inner)
        if not isinstance(query, exp.Select):
            return found
        names = self.names(query, inner)
        for item in _relations(query):
            if isinstance(item, exp.Subquery):
                found += self.free(item.this, inner)
        for column in self._columns(query, inner):
            if not names.owns(column):
                found.append(column)
        return found

    def node(self, item: exp.Expr, local: Local) -> Node | None:
        """The plan of a named table, WITH part or view in FROM; None for anything else."""
        if not isinstance(item, exp.Table) or item.args.get("version"):
            return None
        return None if _is_local(item, local) else self._planner.input(_alone(item), self._ctes)[1]

    def _columns(self, select: exp.Select, local: Local) -> Iterator[exp.Column]:
        """Columns in the SELECT's expressions, and those that are free in the queries nested there."""
        lambdas = {e.name.lower() for lam in select.find_all(exp.Lambda) for e in lam.expressions}
        for root in expressions_of(select):
            for node in root.walk(prune=lambda n: isinstance(n, exp.Query | exp.Star)):
                if isinstance(node, exp.Query):
                    yield from self.free(node, local)
                elif isinstance(node, exp.Column) and (node.table or node.name.lower() not in lambdas):
                    yield node

    def _inputs(self, select: exp.Select, local: Local) -> Iterator[tuple[str, list[str]]]:
        for item in _relations(select):
            alias = item.args.get("alias")
            renamed = [c.name.lower() for c in alias.columns] if isinstance(alias, exp.TableAlias) else []
            columns = self._relation(item, local)
            yield alias_of(item).lower(), [*renamed, *columns[len(renamed) :]]

    def _structs(self, item: exp.Expr, local: Local) -> Iterator[str]:
        node = self.node(item, local)
        if isinstance(node, Source | Table):
            yield from (f.name.lower() for f in node.stream.schema.columns if pa.types.is_struct(f.type))

    def _relation(self, item: exp.Expr, local: Local) -> list[str]:
        if isinstance(item, exp.Subquery):
            return self.outputs(item.this, local)
        if not isinstance(item, exp.Table):
            return []
        if _is_local(item, local):
            return local[item.name.lower()]
        return list(self._planner.input(_alone(item), self._ctes)[0].names)


def alias_of(item: exp.Expr) -> str:
    """What columns of an item of FROM may be qualified with."""
    if isinstance(item, exp.Table) and is_annotation(item) and not item.alias:
        return str(annotation(item)[0].alias_or_name)
    return str(item.alias_or_name)


def _is_local(item: exp.Table, local: Local) -> bool:
    return isinstance(item.this, exp.Identifier) and not item.db and item.name.lower() in local


def _alone(item: exp.Table) -> exp.Table:
    """The table without the joins that hang on it and the version it is asked for."""
    return exp.Table(**{k: item.args[k].copy() for k in ("this", "db", "catalog", "alias") if item.args.get(k)})


def expressions_of(select: exp.Select) -> Iterator[exp.Expr]:
    """The roots of a SELECT's expressions: everything but FROM's relations and WITH."""
    for key, value in select.args.items():
        if key in ("from_", "with_", "laterals"):
            continue
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, exp.Join):
                yield from (e for e in (part.args.get("on"), *(part.args.get("using") or [])) if e is not None)
            elif isinstance(part, exp.Expr):
                yield part


def nested_queries(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The queries nested in an expression, outermost only."""
    for node in tree.walk(prune=lambda n: isinstance(n, exp.Query)):
        if isinstance(node, exp.Query):
            yield node


def bare(tree: exp.Expr) -> exp.Expr:
    """Without brackets; those of a scalar subquery stay (`Expr.unnest` would open them)."""
    while isinstance(tree, exp.Paren):
        tree = tree.this
    return tree


def has_query(tree: exp.Expr | None) -> bool:
    """Does the expression contain a query?"""
    return tree is not None and next(nested_queries(tree), None) is not None


def replaced_columns(tree: exp.Expr, replace: Mapping[int, exp.Expr]) -> exp.Expr:
    """The tree, changed in place: nodes (by ``id``) give way to others."""
    for node in list(tree.find_all(exp.Column)):
        new = replace.get(id(node))
        if new is not None:
            if node is tree:
                return new
            node.replace(new)
    return tree


def _relations(select: exp.Select) -> Iterator[exp.Expr]:
    """FROM's items, those of joins in brackets as well."""
    from_ = select.args.get("from_")
    todo: Collection[exp.Expr] = [] if from_ is None else [from_.this]
    todo = [*todo, *(join.this for join in select.args.get("joins") or [])]
    for item in todo:
        yield item
        yield from (join.this for join in item.args.get("joins") or [])
