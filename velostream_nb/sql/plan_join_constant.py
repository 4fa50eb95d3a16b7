"""Joins with rows that never change, or that the row itself holds: VALUES, SELECT without FROM, UNNEST."""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.sql.plan import Node, Project
from velostream_nb.sql.plan_join_sides import Pairs, under
from velostream_nb.sql.scope import named, text

_WORDS = {"inner": "JOIN", "left": "LEFT JOIN", "semi": "SEMI JOIN", "anti": "ANTI JOIN"}


def is_constant(item: exp.Expr) -> bool:
    """Does an item of FROM need no stream? Its rows are the same for ever, or come from the left side's row."""
    if isinstance(item, (exp.Values, exp.Unnest)):
        return True
    return isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query) and item.find(exp.Table) is None


def names_of(item: exp.Expr) -> list[str]:
    """The columns of a constant relation; [] when they have no names."""
    alias = item.args.get("alias")
    if alias is not None and alias.columns:
        return [c.name for c in alias.columns]
    return list(item.this.named_selects) if isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query) else []


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
