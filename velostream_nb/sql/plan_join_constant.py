"""Joins with rows that never change, or that the row itself holds: VALUES, SELECT without FROM, UNNEST."""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.sql.dialect import NOW
from velostream_nb.sql.plan import Node, Project
from velostream_nb.sql.plan_join_sides import Pairs, under
from velostream_nb.sql.scope import named, text

_WORDS = {"inner": "JOIN", "left": "LEFT JOIN", "semi": "SEMI JOIN", "anti": "ANTI JOIN"}


def is_constant(item: exp.Expr) -> bool:
    """Does an item of FROM need no stream? Its rows are the same for ever, or come from the left side's row."""
    if isinstance(item, (exp.Values, exp.Unnest)):
        return True
    return isinstance(item, exp.Subquery) and _reads_nothing(item.this)


def _reads_nothing(query: exp.Expr) -> bool:
    known = isinstance(query, (exp.Query, exp.Values)) and query.find(exp.Table) is None
    return known and all(c.name.upper() != NOW for c in query.find_all(exp.Anonymous))


def names_of(item: exp.Expr) -> list[str]:
    """The columns of a constant relation; [] when they have no names."""
    alias = item.args.get("alias")
    if alias is not None and alias.columns:
        return [c.name for c in alias.columns]
    if not isinstance(item, exp.Subquery) or not isinstance(item.this, exp.Query):
        return []
    names = list(item.this.named_selects)
    if names == ["*"] and not item.this.args.get("joins"):
        return names_of(item.this.args["from_"].this)
    return [] if "*" in names else names


def with_constants_inlined(tree: exp.Expr) -> exp.Expr:
    """The query with its constant WITH parts put where they are named: no stage of a job holds such rows."""
    with_ = tree.args.get("with_")
    constant = {c.alias.lower() for c in with_.expressions if _reads_nothing(c.this)} if with_ is not None else set()
    names = [c.alias.lower() for c in tree.find_all(exp.CTE)] if constant else []
    constant = {name for name in constant if names.count(name) == 1}
    if not constant:
        return tree
    tree = tree.copy()
    with_ = tree.args["with_"]
    for cte in [c for c in with_.expressions if c.alias.lower() in constant]:
        for table in [t for t in tree.find_all(exp.Table) if t.name.lower() == cte.alias.lower() and not t.db]:
            table.replace(_relation(cte, table))
        with_.set("expressions", [c for c in with_.expressions if c is not cte])
    if not with_.expressions:
        tree.set("with_", None)
    return tree


def _relation(cte: exp.Expr, table: exp.Table) -> exp.Expr:
    """A constant WITH part as an item of FROM, under the names that this reference gives it."""
    own, given = cte.args["alias"], table.args.get("alias")
    columns = (given.columns if given is not None else None) or own.columns
    alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name), columns=[c.copy() for c in columns])
    body = cte.this.copy()
    made = body if isinstance(body, exp.Values) else exp.Subquery(this=body)
    made.set("alias", alias)
    if table.args.get("joins"):
        made.set("joins", table.args["joins"])
    return made


def constant_join(
    kind: str, left: Node, left_pairs: Pairs, item: exp.Expr, columns: Pairs, conditions: list[exp.Expr]
) -> Node:
    """The join as a stateless stage.

    Args:
        kind: 'inner', 'left', 'semi' or 'anti'.
        item: the relation; columns of the left side in it (UNNEST) are bound.
        columns: (its column, the output's column).
        conditions: bound.
    """
    alias = item.alias or "__values"
    raw = {o: c for c, o in left_pairs}
    inner = ", ".join(f"{text(exp.column(n, alias, quoted=True))} AS {text(named(o))}" for n, o in columns)
    on = " AND ".join(f"({text(under(c, raw))})" for c in conditions) or "TRUE"
    both = kind in ("inner", "left")
    several = both and not left.changes
    relation = item.copy()
    relation.set(
        "alias", exp.TableAlias(this=exp.to_identifier(alias), columns=[exp.to_identifier(n) for n, _ in columns])
    )
    shown = columns if both else ()
    return Project(
        inputs=(left,),
        columns=(*(o for _, o in left_pairs), *(o for _, o in shown)),
        pos=(*left.pos, f"__pos{len(left.pos)}") if several else left.pos,
        time={dict(left_pairs)[c]: lag for c, lag in left.time.items()},
        items=(*((text(named(c)), o) for c, o in left_pairs), *((text(named(o)), o) for _, o in shown)),
        joined=(
            f"{_WORDS[kind]} (SELECT {inner}, row_number() OVER () AS __row FROM {text(under(relation, raw))}) "
            f"AS __const ON {on}"
        ),
        row="coalesce(__const.__row, 0)" if several else None,
        changes=left.changes,
    )
