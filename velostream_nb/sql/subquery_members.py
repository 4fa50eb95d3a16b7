"""EXISTS, IN, ANY and ALL: as joins that filter, or as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan import Source, Table
from velostream_nb.sql.scope import conjuncts
from velostream_nb.sql.subquery_inner import Inner, is_outer
from velostream_nb.sql.subquery_names import Local, Names, alias_of, bare
from velostream_nb.sql.subquery_scalar import is_first_row

if TYPE_CHECKING:
    from velostream_nb.sql.plan_subquery import Block

_Binary = type[exp.Binary]
_NOT: dict[type[exp.Expr], _Binary] = {
    exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.LT: exp.GTE, exp.LTE: exp.GT, exp.GT: exp.LTE, exp.GTE: exp.LT,
}  # fmt: skip
_EDGES: dict[type[exp.Expr], tuple[str, ...]] = {
    exp.GT: ("min",), exp.GTE: ("min",), exp.LT: ("max",), exp.LTE: ("max",), exp.NEQ: ("min", "max"),
}  # fmt: skip
"""Which of the values decide whether there is one that stands so to x."""
_CONDITION_HINT = "make it a condition of its own (… AND EXISTS (…)), or compare with = only"
_HAVING_HINT = "join with a WITH part that counts by key"


@dataclass(frozen=True, slots=True)
class Quantified:
    """``values op ANY (query)``; IN is ``= ANY``.

    Attributes:
        negated: NOT of it: ``x <> ALL (query)`` is NOT ``x = ANY (query)``.
    """

    values: tuple[exp.Expr, ...]
    op: type[exp.Binary]
    query: exp.Expr
    negated: bool


def quantified(node: exp.Expr) -> Quantified | None:
    """IN, ANY or ALL with a query; None for anything else (a list of constants among it)."""
    if isinstance(node, exp.In):
        query = node.args.get("query")
        return None if query is None else Quantified(_values(node.this), exp.EQ, query, negated=False)
    if not isinstance(node, exp.Binary) or type(node) not in _NOT:
        return None
    op: _Binary = type(node)
    side = bare(node.expression)
    if not isinstance(side, exp.Any | exp.All) or not isinstance(bare(side.this), exp.Query):
        return None
    if isinstance(side, exp.All):
        return Quantified(_values(node.this), _NOT[op], side.this, negated=True)
    return Quantified(_values(node.this), op, side.this, negated=False)


def _values(node: exp.Expr) -> tuple[exp.Expr, ...]:
    node = bare(node)
    return tuple(node.expressions) if isinstance(node, exp.Tuple) else (node,)


class Members:
    """Makes joins and values of EXISTS and IN."""

    def __init__(self, block: Block) -> None:
        self._block = block

    # -- EXISTS -----------------------------------------------------------------------------------------------------

    def exists_condition(self, node: exp.Exists, negated: bool) -> list[exp.Expr]:
        """EXISTS as a condition of WHERE: what is left of it beside a join."""
        inner = self._block.inner(node.this)
        value = self._exists_simply(inner)
        if value is not None:
            return [exp.not_(value, copy=False) if negated else value]
        self._rows(inner)
        self._block.joined.filter(inner, inner.conditions(), keep=not negated)
        return []

    def exists_value(self, node: exp.Exists) -> exp.Expr:
        """EXISTS as TRUE or FALSE."""
        inner = self._block.inner(node.this)
        value = self._exists_simply(inner)
        if value is not None:
            return value
        self._rows(inner)
        inner.require_equal_ties(
            "a subquery that is compared by more than = and stands in an expression", _CONDITION_HINT
        )
        on = inner.conditions()
        found = inner.column(exp.true())
        self._block.joined.left(inner.relation(distinct=True), inner.names(), on)
        return _is_null(found, negated=True)

    def _exists_simply(self, inner: Inner) -> exp.Expr | None:
        """EXISTS that needs no key: without FROM, over one row, or uncorrelated."""
        query = inner.query
        if isinstance(query, exp.Select):
            for clause in ("order", "limit"):  # neither makes rows come or go, LIMIT 0 aside
                found = query.args.get(clause)
                if clause == "order" or (found is not None and not query.args.get("offset") and is_first_row(found)):
                    query.set(clause, None)
            where = query.args.get("where")
            conditions = [*conjuncts(where.this if where else None), *inner.ties]
            if not inner.has_from:
                return _certain(conditions)
            if inner.is_one_row and not query.args.get("limit"):
                having = query.args.get("having")
                if having is None:
                    return exp.true()
                inner.items = [having.this]
                query.set("having", None)
                return _certain(self._block.scalars.values(inner, query))
        if inner.correlated:
            return None
        inner.close()
        return self._facts(inner, {"found": _count() > 0})["found"]

    # -- IN, ANY, ALL -----------------------------------------------------------------------------------------------

    def condition(self, found: Quantified, negated: bool) -> list[exp.Expr]:
        """As a condition of WHERE: what is left of it beside joins."""
        found = self._ready(found, negated)
        inner = self._block.quantified_over(found)
        simple = self._simply(found, inner)
        if simple is not None:
            return [simple]
        if not inner.correlated and (found.op is not exp.EQ):
            return [self._value(found, inner, positive=True)]
        known = self._never_null(found, inner)
        self._rows(inner)
        matches: list[exp.Expr] = [
            found.op(this=x.copy(), expression=inner.lifted(c)) for x, c in zip(found.values, inner.items, strict=True)
        ]
        on = inner.conditions()
        if not found.negated:
            self._block.joined.filter(inner, [*on, *matches], keep=True)
            return []
        if not inner.correlated and len(matches) == 1:
            self._block.joined.filter(inner, matches, keep=False)
            return self._unless_null(found, known)
        if not all(known):
            matches = [_is_not_false(exp.and_(*matches, copy=False))]
        self._block.joined.filter(inner, [*on, *matches], keep=False)
        return []

    def value(self, found: Quantified, *, positive: bool) -> exp.Expr:
        """As TRUE, FALSE or NULL; NULL may be FALSE where `positive`."""
        found = self._ready(found, negated=False)
        inner = self._block.quantified_over(found)
        simple = self._simply(found, inner)
        return exp.paren(self._value(found, inner, positive=positive) if simple is None else simple, copy=False)

    def _ready(self, found: Quantified, negated: bool) -> Quantified:
        values = tuple(self._block.replaced(v.copy()) for v in found.values)
        return replace(found, values=values, negated=found.negated != negated)

    def _simply(self, found: Quantified, inner: Inner) -> exp.Expr | None:
        """Over a subquery of one row: the comparison itself."""
        if not isinstance(inner.query, exp.Select) or inner.select.args.get("having"):
            return None
        where = inner.select.args.get("where")
        if not (inner.is_one_row or (not inner.has_from and where is None and not inner.ties)):
            return None
        values = self._block.scalars.values(inner, found.query)
        pairs = zip(found.values, values, strict=True)
        compared = exp.and_(*(found.op(this=x.copy(), expression=v) for x, v in pairs), copy=False)
        return exp.not_(exp.paren(compared, copy=False), copy=False) if found.negated else compared

    def _value(self, found: Quantified, inner: Inner, *, positive: bool) -> exp.Expr:
        exact = found.negated or not positive
        if len(found.values) > 1 and exact:
            self._block.planner.refuse(
                "IN with several columns in an expression",
                "make it a condition of its own, or write EXISTS",
                found.query,
            )
        if found.op is exp.EQ:
            hit = self._mark(found, inner)
            if not exact:
                return hit
            facts = self._comparable(self._block.quantified_over(found), ())
        else:
            facts = self._comparable(inner, _EDGES[found.op])
            hit = _beyond(found, facts)
            if not exact:
                return hit
        x = found.values[0]
        unknown = exp.or_(_is_null(x), facts["nulls"].copy(), copy=False)
        ifs = [
            exp.If(this=hit, true=exp.true()),
            exp.If(this=facts["empty"].copy(), true=exp.false()),
            exp.If(this=unknown, true=exp.null()),
        ]
        value = exp.Case(ifs=ifs, default=exp.false())
        return exp.not_(exp.paren(value, copy=False), copy=False) if found.negated else value

    def _mark(self, found: Quantified, inner: Inner) -> exp.Expr:
        """LEFT JOIN with the distinct values: is there an equal one?"""
        self._rows(inner)
        inner.require_equal_ties(
            "a subquery that is compared by more than = and stands in an expression", _CONDITION_HINT
        )
        columns = [inner.lifted(c) for c in inner.items]
        matches = [exp.EQ(this=x.copy(), expression=c) for x, c in zip(found.values, columns, strict=True)]
        on = [*inner.conditions(), *matches]
        self._block.joined.left(inner.relation(distinct=True), inner.names(), on)
        return _is_null(columns[0], negated=True)

    def _comparable(self, inner: Inner, edges: tuple[str, ...]) -> dict[str, exp.Expr]:
        """Are there values ('empty'), are there 'nulls' among them, and these edges; by key when correlated."""
        self._rows(inner)
        inner.require_equal_ties(
            "a subquery that is compared by more than = and stands in an expression", _CONDITION_HINT
        )
        (item,) = inner.items
        if is_outer(item):
            self._block.planner.refuse("IN (SELECT …) of a value of the outer query", _CONDITION_HINT, item)
        column = inner.column(item)
        asked: dict[str, exp.Expr] = {"nulls": _count() > exp.Count(this=column.copy())}
        asked |= {edge: exp.func(edge, column) for edge in edges}
        if not inner.ties:
            return self._facts(inner, {"empty": _count().eq(0), **asked})
        facts = self._facts(inner, asked)
        return {"empty": _is_null(facts["nulls"]), **facts}  # no values: no group

    def _unless_null(self, found: Quantified, known: tuple[bool, bool]) -> list[exp.Expr]:
        """What NOT IN asks beside an ANTI JOIN: no NULL on either side, or no values at all."""
        if all(known):
            return []
        self._block.planner.note(
            "NOT IN also looks for NULLs, on both sides: say IS NOT NULL on both where there are none, or NOT EXISTS"
        )
        x, inner = found.values[0], self._block.quantified_over(found)
        inner.close()
        aggregates: dict[str, exp.Expr] = {"empty": _count().eq(0)}
        if not known[1]:
            aggregates["nulls"] = _count() > exp.Count(this=inner.column(inner.items[0]))
        facts = self._facts(inner, aggregates)
        apart = [] if known[0] else [_is_null(x, negated=True)]
        apart += [] if known[1] else [exp.not_(facts["nulls"], copy=False)]
        return [exp.paren(exp.or_(facts["empty"], exp.and_(*apart, copy=False), copy=False), copy=False)]

    # -- derived tables ---------------------------------------------------------------------------------------------

    def _rows(self, inner: Inner) -> None:
        """Make the subquery ready to be asked for columns of its rows."""
        if not inner.correlated:
            inner.close()
            return
        inner.require_untied_shape()
        select = inner.select
        having = select.args.get("having")
        if having is not None and is_outer(having):
            self._block.planner.refuse("a column of the outer query in HAVING of a subquery", _HAVING_HINT, having)
        if select.args.get("group"):
            inner.group_by(inner.require_equal_ties("a subquery with GROUP BY compared by more than =", _HAVING_HINT))

    def _facts(self, inner: Inner, aggregates: dict[str, exp.Expr]) -> dict[str, exp.Expr]:
        """Aggregates of the subquery's rows as columns: one row, or one a combination of the tied columns."""
        on = inner.conditions()
        tied = {c.name for t in on for c in t.find_all(exp.Column) if c.table == inner.alias}
        keys = [name for name in inner.names() if name in tied]
        relation = inner.relation()
        number = inner.alias.removeprefix("subquery_")
        items = [exp.column(k, inner.alias, quoted=True) for k in keys] if on else []
        named = {name: f"__{number}_{name}" for name in aggregates}
        values = [exp.alias_(aggregates[n], named[n], quoted=True) for n in aggregates]
        select = exp.Select(expressions=[*(exp.alias_(i, i.name, quoted=True) for i in items), *values]).from_(relation)
        if on:
            select.set("group", exp.Group(expressions=[i.copy() for i in items]))
        derived = exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(inner.alias)))
        names = [*(keys if on else []), *named.values()]
        if on:
            self._block.joined.left(derived, names, on)
        else:
            self._block.joined.cross(derived, names)
        return {name: exp.column(column, inner.alias, quoted=True) for name, column in named.items()}

    def _never_null(self, found: Quantified, inner: Inner) -> tuple[bool, bool]:
        """Are the values, and is what the subquery gives, known never to be NULL?"""
        left = all(self._is_certain(x, self._block.select, self._block.names, self._block.local) for x in found.values)
        query = inner.query
        if not isinstance(query, exp.Select):
            return left, False
        return left, all(self._is_certain(c, query, inner.own, inner.local) for c in inner.items)

    def _is_certain(self, value: exp.Expr, select: exp.Select, names: Names, local: Local) -> bool:
        value = bare(value)
        if isinstance(value, exp.Literal | exp.Boolean | exp.Count):
            return True
        column = names.qualified(value) if isinstance(value, exp.Column) else None
        if column is None:
            return False
        where = select.args.get("where")
        for part in conjuncts(where.this if where else None):
            body = bare(part.this) if isinstance(part, exp.Not) else None
            tested = body.this if isinstance(body, exp.Is) and isinstance(body.expression, exp.Null) else None
            if isinstance(tested, exp.Column) and names.qualified(tested) == column:
                return True
        return self._declared_not_null(column, select, local)

    def _declared_not_null(self, column: tuple[str, str], select: exp.Select, local: Local) -> bool:
        """A column of a stream that was declared NOT NULL; outer joins bring NULLs of their own."""
        joins = select.args.get("joins") or []
        if any(j.side for j in joins) or select.args.get("group"):
            return False
        for relation in (select.args["from_"].this, *(j.this for j in joins)):
            if alias_of(relation).lower() == column[0]:
                node = self._block.resolver.node(relation, local)
                if isinstance(node, Source | Table):
                    fields = {f.name.lower(): f for f in node.stream.schema.columns}
                    return column[1] in fields and not fields[column[1]].nullable
        return False


def _beyond(found: Quantified, facts: dict[str, exp.Expr]) -> exp.Expr:
    """Is there a value that stands so to x? The least or the greatest one would."""
    sides = [found.op(this=found.values[0].copy(), expression=facts[edge].copy()) for edge in _EDGES[found.op]]
    return exp.paren(exp.or_(*sides, copy=False), copy=False)


def _count() -> exp.Count:
    return exp.Count(this=exp.Star(), big_int=True)


def _is_null(value: exp.Expr, *, negated: bool = False) -> exp.Expr:
    test = exp.Is(this=value.copy(), expression=exp.null())
    return exp.Not(this=test) if negated else test


def _is_not_false(condition: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=exp.paren(condition, copy=False), expression=exp.false()))


def _certain(conditions: list[exp.Expr]) -> exp.Expr:
    """The conditions together, FALSE where they are NULL."""
    if not conditions:
        return exp.true()
    return exp.func("coalesce", exp.and_(*(c.copy() for c in conditions), copy=False), exp.false())
