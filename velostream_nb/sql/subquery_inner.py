"""A subquery taken apart: what stays inside a derived table, and what ties it to the query around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn, Protocol

from sqlglot import exp

from velostream_nb.sql.scope import conjuncts, text
from velostream_nb.sql.subquery_groups import aggregate_calls, group_keys, has_sets, is_aggregated
from velostream_nb.sql.subquery_names import Local, Names, Resolver, bare, expressions_of, has_query, replaced_columns

OUTER = "velo_outer"
"""Mark (in `Expr.meta`) of a column that belongs to the query around."""

JOIN_HINT = "write it as a join with a WITH part"


class Refuse(Protocol):
    """How a construct is refused: what, what to write instead, where."""

    def __call__(self, what: str, hint: str, node: exp.Expr) -> NoReturn:
        """Raise UnsupportedError."""


def is_outer(tree: exp.Expr) -> bool:
    """Does the expression read a column of the query around?"""
    return any(c.meta.get(OUTER) for c in tree.find_all(exp.Column))


def reads_inner(tree: exp.Expr) -> bool:
    """Does the expression read a column of the subquery itself?"""
    return any(not c.meta.get(OUTER) and not isinstance(c.this, exp.Star) for c in tree.find_all(exp.Column))


class Inner:
    """One subquery on its way into FROM.

    Attributes:
        query: it, changed in place; a Select unless it is a set operation.
        ties: conditions that read both its rows and the query around; they are out of `query`.
        items: expressions of the SELECT list, without aliases.
        correlated: whether anything ties it, a condition or an item.
    """

    def __init__(self, query: exp.Expr, number: int, names: Names, resolver: Resolver, local: Local, refuse: Refuse):
        self.alias = f"subquery_{number}"
        self.query = query
        self.ties: list[exp.Expr] = []
        self.items: list[exp.Expr] = []
        self.correlated = False
        self._number = number
        self._outer = names
        self._resolver = resolver
        self.local = resolver.local(query, local)
        self._refuse = refuse
        self._exports: dict[str, exp.Alias] = {}
        if isinstance(query, exp.Select):
            self.own = resolver.names(query, self.local)

    # -- taking apart -----------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Tell the outer columns, take the ties out of WHERE, spell out names of SELECT items."""
        query = self.query
        self.correlated = is_outer(query)
        if not isinstance(query, exp.Select):
            if self.correlated:
                self._refuse(
                    f"a correlated {query.key.upper()} in a subquery", "write one subquery for each side", query
                )
            return
        self._inline_items(query)
        if self.correlated:
            self._lift(query)
        self.items = [e.unalias() for e in query.expressions]

    def _inline_items(self, query: exp.Select) -> None:
        """Names of SELECT items become what they stand for: the SELECT list is about to change."""
        bodies = {e.alias.lower(): e.this for e in query.expressions if isinstance(e, exp.Alias)}
        group = query.args.get("group")
        if group is not None and not has_sets(group):
            calls = [e for e in group.expressions if isinstance(e, exp.Anonymous) and e.name.startswith("VELO_")]
            group.set("expressions", [*(k.copy() for k in group_keys(query, self.own)), *calls])
            group.set("all", None)
        roots = [query.args[k] for k in ("where", "having", "qualify") if query.args.get(k)]
        new: dict[int, exp.Expr] = {}
        for column in (c for root in roots for c in root.find_all(exp.Column)):
            body = bodies.get(column.name.lower())
            if body is None or column.table or column.meta.get(OUTER) or self.own.has_column(column):
                continue
            if column.find_ancestor(exp.Query) is query:
                new[id(column)] = exp.paren(body.copy(), copy=False)
        for root in roots:
            replaced_columns(root, new)

    def _lift(self, query: exp.Select) -> None:
        where = query.args.get("where")
        parts = [*conjuncts(where.this if where else None), *self._from_joins(query)]
        self.ties = [p for p in parts if is_outer(p)]
        rest = [p for p in parts if not is_outer(p)]
        query.set("where", exp.Where(this=exp.and_(*rest, copy=False)) if rest else None)
        for tie in self.ties:
            if tie.find(exp.Window) or aggregate_calls(tie):
                self._refuse("a window function or aggregate compared with the outer query", JOIN_HINT, tie)
        allowed = [*query.expressions, *(e for e in [query.args.get("having")] if e is not None)]
        for root in expressions_of(query):
            if is_outer(root) and not any(root is a for a in allowed):
                self._refuse(f"a column of the outer query in {_clause(root)} of a subquery", JOIN_HINT, _culprit(root))
        for relation in (query.args.get("from_"), *(query.args.get("joins") or [])):
            if relation is not None and is_outer(relation):
                self._refuse("a column of the outer query inside FROM of a subquery", JOIN_HINT, _culprit(relation))

    def _from_joins(self, query: exp.Select) -> Iterator[exp.Expr]:
        """Conditions of inner joins that read the outer query: they may as well stand in WHERE."""
        joins = query.args.get("joins") or []
        sided = any((j.side or "").upper() in ("RIGHT", "FULL") for j in joins)
        for join in joins:
            on = join.args.get("on")
            if on is None or not is_outer(on):
                continue
            if (join.side or "") or (join.kind or "").upper() not in ("", "INNER") or join.args.get("method") or sided:
                kind = " ".join(w for w in (join.args.get("method"), join.side, join.kind) if w)
                self._refuse(
                    f"a column of the outer query in the condition of a {kind.upper()} JOIN of a subquery",
                    JOIN_HINT,
                    _culprit(on),
                )
            parts = conjuncts(on)
            rest = [p for p in parts if not is_outer(p)]
            join.set("on", exp.and_(*rest, copy=False) if rest else exp.true())
            yield from (p for p in parts if is_outer(p))

    # -- what kind it is --------------------------------------------------------------------------------------------

    @property
    def select(self) -> exp.Select:
        assert isinstance(self.query, exp.Select)
        return self.query

    @property
    def is_one_row(self) -> bool:
        """Aggregates without GROUP BY: one row, whatever there is to aggregate."""
        query = self.query
        return isinstance(query, exp.Select) and is_aggregated(query) and not query.args.get("group")

    @property
    def has_from(self) -> bool:
        return not isinstance(self.query, exp.Select) or self.query.args.get("from_") is not None

    def require_untied_shape(self) -> None:
        """A tie may be taken out of WHERE only when nothing after WHERE depends on which rows there are."""
        query = self.select
        for clause, what in (("limit", "LIMIT"), ("offset", "OFFSET"), ("qualify", "QUALIFY")):
            if query.args.get(clause):
                hint = "write arg_max(x, time) for LIMIT 1 by time, or a join with a Top-N WITH part"
                self._refuse(f"{what} in a correlated subquery", hint, query.args[clause])
        for item in query.expressions:
            if item.find(exp.Window):
                self._refuse("a window function in a correlated subquery", JOIN_HINT, item)

    def equal_ties(self) -> list[tuple[exp.Expr, exp.Expr]] | None:
        """Each tie as (the inner side of an equality, the tie); None when one is something else."""
        found = []
        for tie in self.ties:
            side = _inner_side(tie)
            if side is None:
                return None
            found.append((side, tie))
        return found

    def require_equal_ties(self, what: str, hint: str) -> list[exp.Expr]:
        """The inner sides of the ties, which all are equalities; refused otherwise."""
        sides = []
        for tie in self.ties:
            side = _inner_side(tie)
            if side is None:
                self._refuse(what, hint, tie)
            sides.append(side)
        return sides

    # -- the derived table ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Put the whole query into FROM of a new one, when its SELECT list must stay as it is."""
        query = self.query
        keep = ("limit", "offset", "qualify", "distinct")
        loose = isinstance(query, exp.Select) and not any(query.args.get(k) for k in keep)
        loose = loose and not any(e.is_star or e.find(exp.Window) for e in self.select.expressions)
        if loose and not self._grouped_oddly():
            self.select.set("order", None)
            return
        columns = self._resolver.outputs(query, self.local)
        inner = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(f"{self.alias}_of")))
        self.items = [exp.column(c, quoted=True) for c in columns]
        self.query = exp.select(*self.items).from_(inner)

    def _grouped_oddly(self) -> bool:
        return has_sets(self.select.args.get("group"))

    def group_by(self, keys: Sequence[exp.Expr]) -> None:
        """Group by these too."""
        if not keys:
            return
        group = self.select.args.get("group") or exp.Group()
        known = {text(e) for e in group.expressions}
        for key in keys:
            if text(key) not in known:
                known.add(text(key))
                group.append("expressions", key.copy())
        self.select.set("group", group)

    def column(self, expression: exp.Expr) -> exp.Column:
        """The expression (over the subquery's own rows) as a column of the derived table."""
        key = text(expression)
        if key not in self._exports:
            own = expression.name if isinstance(expression, exp.Column) else f"c{len(self._exports)}"
            name = f"__{self._number}_{own}"
            if any(name.lower() == e.alias.lower() for e in self._exports.values()):
                name = f"__{self._number}_{len(self._exports)}_{own}"
            self._exports[key] = exp.Alias(this=expression.copy(), alias=exp.to_identifier(name, quoted=True))
        return exp.column(self._exports[key].alias, self.alias, quoted=True)

    def lifted(self, expression: exp.Expr) -> exp.Expr:
        """The expression with its inner parts as columns of the derived table.

        The inner side of an equality becomes one column, so that it can be a join key; elsewhere plain columns do,
        because a column keeps its meaning as event time.
        """
        if not is_outer(expression):
            return self.column(expression)
        side = _inner_side(expression)
        if side is not None and not isinstance(bare(side), exp.Column):
            copy = expression.copy()
            other = _inner_side(copy)
            assert other is not None
            other.replace(self.column(side))
            return copy
        copy = expression.copy()
        new = {
            id(c): self.column(c)
            for c in copy.find_all(exp.Column)
            if not c.meta.get(OUTER) and c.find_ancestor(exp.Query) is None
        }
        return replaced_columns(copy, new)

    def conditions(self) -> list[exp.Expr]:
        """The ties, over the derived table."""
        return [self.lifted(t) for t in self.ties]

    def names(self) -> list[str]:
        """Columns of the derived table."""
        return [e.alias for e in self._exports.values()]

    def relation(self, *, distinct: bool = False) -> exp.Subquery:
        """The derived table, with the columns asked for so far."""
        query = self.select
        if not self._exports:
            self.column(exp.true())
        query.set("expressions", list(self._exports.values()))
        query.set("distinct", exp.Distinct() if distinct else None)
        for clause in ("order", "limit"):
            query.set(clause, None)
        return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(self.alias)))


def _inner_side(tie: exp.Expr) -> exp.Expr | None:
    """Of ``inner = outer`` (or IS NOT DISTINCT FROM), either way round: the inner side; None for anything else."""
    tie = bare(tie)
    if not isinstance(tie, exp.EQ | exp.NullSafeEQ) or has_query(tie):
        return None
    for one, other in ((tie.left, tie.right), (tie.right, tie.left)):
        if reads_inner(one) and not is_outer(one) and not reads_inner(other):
            return one
    return None


def _culprit(tree: exp.Expr) -> exp.Expr:
    return next((c for c in tree.find_all(exp.Column) if c.meta.get(OUTER)), tree)


def _clause(root: exp.Expr) -> str:
    words = {"group": "GROUP BY", "order": "ORDER BY", "qualify": "QUALIFY", "joins": "a join condition"}
    return words.get(root.arg_key or "", (root.arg_key or "an expression").upper())
