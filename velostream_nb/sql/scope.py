"""Names of one SELECT block: which input a column belongs to, and what it is called inside the plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from velostream_nb.core.errors import BindError, Place, did_you_mean
from velostream_nb.core.records import HIDDEN, TS
from velostream_nb.sql.aggregates import is_aggregate_call
from velostream_nb.sql.dialect import WALL
from velostream_nb.sql.plan import Node

WALL_NOTE = "wall_clock() is the wall's time, one value a tick: a run over the same records gives other rows"

Locate = Callable[[exp.Expr], Place | None]


@dataclass(slots=True)
class Input:
    """One item of FROM.

    Attributes:
        internal: the column's name as written (lower case) to its name in the plan, in the input's order.
        names: the column's name as written (lower case) to the spelling it was declared with.
    """

    alias: str
    internal: dict[str, str]
    names: dict[str, str]

    @classmethod
    def of(cls, alias: str, node: Node) -> Input:
        return cls(alias, {c.lower(): c for c in node.columns}, {c.lower(): c for c in node.columns})


@dataclass(frozen=True, slots=True)
class Merged:
    """A column that USING or NATURAL made one of several.

    Attributes:
        internal: its name in the plan.
        members: the columns that it stands for, itself perhaps among them.
    """

    internal: str
    members: frozenset[str]


@dataclass(slots=True)
class Scope:
    """The inputs of one SELECT.

    Attributes:
        own: unqualified names (lower case) that mean a column of the SELECT's own window, outside of its aggregates.
        merged: by name (lower case), what an unqualified name means where USING or NATURAL says so.
        equal: internal names known to be equal (inner equi-join keys): an unqualified name may mean either.
        used: called with every internal name that an expression reads.
        notes: assumptions made while binding.
    """

    locate: Locate
    inputs: list[Input] = field(default_factory=list)
    equal: list[set[str]] = field(default_factory=list)
    time: Collection[str] = ()
    used: Callable[[str], None] = lambda _name: None
    notes: list[str] = field(default_factory=list)
    merged: dict[str, Merged] = field(default_factory=dict)
    own: Collection[str] = ()

    def columns(self) -> Iterator[str]:
        for item in self.inputs:
            yield from item.names.values()

    def resolve(self, column: exp.Column) -> str | None:
        """The internal name, None when no input has such a column; BindError when it is ambiguous."""
        name, table = column.name.lower(), column.table.lower()
        if table:
            owner = next((i for i in self.inputs if i.alias.lower() == table), None)
            if owner is None:
                return None
            if name not in owner.internal:
                raise BindError(
                    f"{owner.alias} has no column {column.name!r}",
                    hint=did_you_mean(column.name, owner.names.values()),
                    place=self.locate(column),
                )
            return owner.internal[name]
        found = [i.internal[name] for i in self.inputs if name in i.internal]
        merged = self.merged.get(name)
        if merged is not None and set(found) <= merged.members:
            return merged.internal
        if len(found) <= 1:
            return found[0] if found else None
        return self._prefer_left(column, found)

    def _prefer_left(self, column: exp.Column, found: list[str]) -> str:
        if any(set(found) <= group for group in self.equal):
            return found[0]
        if all(name in self.time for name in found):
            note = f"{column.name} is in several inputs: taken as {found[0]}"
            if note not in self.notes:
                self.notes.append(note)
            return found[0]
        owners = [i.alias for i in self.inputs if column.name.lower() in i.internal]
        raise BindError(
            f"column {column.name!r} is ambiguous: {' and '.join(owners)} both have it",
            hint=f"write {owners[0]}.{column.name} or {owners[1]}.{column.name}",
            place=self.locate(column),
        )

    def bind(self, tree: exp.Expr, aliases: Collection[str] = ()) -> exp.Expr:
        """A copy with every column under its internal name; names of `aliases` (lower case) may stay unresolved."""
        lambdas = {e.name.lower() for lam in tree.find_all(exp.Lambda) for e in lam.expressions}

        def rename(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Anonymous) and node.name.upper() == "VELO_NOW":
                return stream_time()
            if isinstance(node, exp.Anonymous) and node.name.upper() == WALL and WALL_NOTE not in self.notes:
                self.notes.append(WALL_NOTE)
            if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
                return node
            if not node.table and node.name.lower() in self.own and not _inside_aggregate(node):
                return node
            internal = self.resolve(node)
            if internal is not None:
                self.used(internal)
                return named(internal, node)
            return self._unresolved(node, aliases, lambdas)

        bound = tree.copy().transform(rename, copy=False)
        for bucket in bound.find_all(exp.DateBin):
            self._align(bucket)
        return bound

    def _align(self, bucket: exp.DateBin) -> None:
        """``time_bucket(width, time)`` gets the origin that windows have, 1970; DuckDB's own is a Monday of 2000."""
        by = bucket.expression
        if len([v for v in bucket.args.values() if v]) == 2 and isinstance(by, exp.Column) and by.name in self.time:
            bucket.set("unit", exp.cast(exp.Literal.string("1970-01-01"), "TIMESTAMP"))

    def _unresolved(self, node: exp.Column, aliases: Collection[str], lambdas: Collection[str]) -> exp.Expr:
        name = node.name.lower()
        if not node.table and (name in aliases or name in lambdas):
            return node
        if node.table:  # a.b may be field b of the struct column a
            owner = self.resolve(exp.column(node.args["table"].copy()))
            if owner is not None:
                self.used(owner)
                return exp.Dot(this=named(owner, node), expression=node.this.copy())
            raise BindError(
                f"unknown table or alias {node.table!r}",
                hint=did_you_mean(node.table, [i.alias for i in self.inputs]),
                place=self.locate(node),
            )
        if name in HIDDEN:
            raise BindError(f"{node.name} is a hidden column of the engine", place=self.locate(node))
        raise BindError(
            f"unknown column {node.name!r}",
            hint=did_you_mean(node.name, [*self.columns(), *aliases]),
            place=self.locate(node),
        )


def _inside_aggregate(node: exp.Expr) -> bool:
    parent = node.parent
    while parent is not None and not isinstance(parent, exp.Query):
        if is_aggregate_call(parent):
            return True
        parent = parent.parent
    return False


def named(internal: str, origin: exp.Expr | None = None) -> exp.Column:
    """A column node of that internal name; keeps the origin's place for messages."""
    identifier = exp.Identifier(this=internal, quoted=True)
    column = exp.Column(this=identifier)
    if isinstance(origin, exp.Column):
        identifier.meta.update(origin.this.meta)
    return column


def stream_time() -> exp.Expr:
    """The event time of the row at hand, as TIMESTAMP."""
    return exp.Anonymous(this="make_timestamp", expressions=[named(TS)])


def is_column(tree: exp.Expr, names: Mapping[str, object] | Collection[str]) -> str | None:
    """The internal name when the (bound) expression is just a column of `names`, else None."""
    tree = tree.unnest()
    if isinstance(tree, exp.Column) and not tree.table and tree.name in names:
        return str(tree.name)
    return None


def inlined(tree: exp.Expr, items: list[tuple[exp.Expr, str]]) -> exp.Expr:
    """Names of SELECT items (bound names are quoted, these are not) replaced by what they stand for."""
    known = {name.lower(): expression for expression, name in items}

    def visit(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.this.args.get("quoted") and node.name.lower() in known:
            return exp.paren(known[node.name.lower()].copy())
        return node

    return tree.transform(visit)


def text(tree: exp.Expr) -> str:
    """DuckDB's SQL of a bound expression."""
    return str(tree.sql(dialect="duckdb"))


def conjuncts(tree: exp.Expr | None) -> list[exp.Expr]:
    """The parts of an AND, flattened; [] for no condition."""
    if tree is None:
        return []
    while isinstance(tree, exp.Paren):  # not unnest(): it would open a scalar subquery
        tree = tree.this
    if isinstance(tree, exp.And):
        return [part for side in (tree.left, tree.right) for part in conjuncts(side)]
    return [tree]


def conjoin(parts: list[exp.Expr]) -> str | None:
    """The parts as one condition, or None when there are none."""
    return " AND ".join(f"({text(p)})" for p in parts) or None


def columns_of(tree: exp.Expr) -> set[str]:
    """Internal names a bound expression reads."""
    return {c.name for c in tree.find_all(exp.Column)}
