"""Filters around a rank, as QUALIFY inside, where that means the same.

``SELECT … FROM (SELECT *, ROW_NUMBER() OVER (…) AS rn FROM s) WHERE rn <= n`` is how databases without QUALIFY write a
Top-N. Inside, the planner sees that no row beyond n is ever asked for, so that it need not be remembered.
"""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.sql.scope import conjuncts

_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)
_COMPARED = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between)


def ranks_inside(tree: exp.Query) -> exp.Query:
    """A copy of the query with such filters moved; the tree itself when there are none."""
    if not any(isinstance(w.this, _RANKS) for w in tree.find_all(exp.Window)):
        return tree
    copy = tree.copy()
    for select in list(copy.find_all(exp.Select)):
        _move(select, copy)
    return copy


def _move(select: exp.Select, whole: exp.Expr) -> None:
    where, source = select.args.get("where"), select.args.get("from_")
    if where is None or source is None or select.args.get("joins") or select.args.get("laterals"):
        return
    inner = _inner(source.this, whole)
    if inner is None:
        return
    ranks = {e.alias.lower(): e.this for e in inner.expressions if _is_rank(e)}
    kept: list[exp.Expr] = []
    moved: list[exp.Expr] = []
    for condition in conjuncts(where.this):
        rank = _rank_of(condition, ranks, source.this.alias_or_name)
        (kept if rank is None else moved).append(condition)
    if not moved:
        return
    inner = _own(source.this, inner, whole)
    for condition in moved:
        inner.set("qualify", exp.Qualify(this=_both(inner.args.get("qualify"), _inside(condition, ranks))))
    select.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)


def _is_rank(item: exp.Expr) -> bool:
    return isinstance(item, exp.Alias) and isinstance(item.this, exp.Window) and isinstance(item.this.this, _RANKS)


def _inner(source: exp.Expr, whole: exp.Expr) -> exp.Select | None:
    """The SELECT that a lone item of FROM stands for, if filtering its rows may as well happen inside."""
    body: exp.Expr | None = None
    if isinstance(source, exp.Subquery):
        body = source.this
    elif isinstance(source, exp.Table) and not source.db:
        cte = _cte(source, whole)
        body = None if cte is None else cte.this
    closed = ("limit", "offset", "distinct")
    return body if isinstance(body, exp.Select) and not any(body.args.get(c) for c in closed) else None


def _cte(table: exp.Table, whole: exp.Expr) -> exp.CTE | None:
    """The CTE of that name, when the query has just one and it names its columns itself."""
    found = [c for c in whole.find_all(exp.CTE) if c.alias.lower() == table.name.lower()]
    return found[0] if len(found) == 1 and not found[0].args["alias"].args.get("columns") else None


def _rank_of(condition: exp.Expr, ranks: dict[str, exp.Expr], alias: str) -> exp.Expr | None:
    """The rank that the condition compares with a number."""
    condition = condition.unnest()
    if not isinstance(condition, _COMPARED):
        return None
    columns = list(condition.find_all(exp.Column))
    if len(columns) != 1 or (columns[0].table and columns[0].table.lower() != alias.lower()):
        return None
    return ranks.get(columns[0].name.lower())


def _own(source: exp.Expr, inner: exp.Select, whole: exp.Expr) -> exp.Select:
    """The SELECT for this item of FROM alone: a CTE that others read, too, is copied to where it is named."""
    if isinstance(source, exp.Subquery):
        return inner
    readers = [t for t in whole.find_all(exp.Table) if t.name.lower() == source.name.lower() and not t.db]
    if len(readers) == 1:
        return inner
    copy = inner.copy()
    alias = exp.TableAlias(this=exp.to_identifier(source.alias_or_name))
    source.replace(exp.Subquery(this=copy, alias=alias))
    return copy


def _inside(condition: exp.Expr, ranks: dict[str, exp.Expr]) -> exp.Expr:
    """The condition over the rank itself: its name may mean something else in there."""

    def visit(node: exp.Expr) -> exp.Expr:
        return ranks[node.name.lower()].copy() if isinstance(node, exp.Column) and node.name.lower() in ranks else node

    return condition.copy().transform(visit, copy=False)


def _both(qualify: exp.Expr | None, condition: exp.Expr) -> exp.Expr:
    return condition if qualify is None else exp.and_(qualify.this.copy(), condition)
