"""The joins that subqueries of one SELECT become, in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp

from velostream_nb.sql.subquery_inner import Inner

UNBOUNDED = "velo_unbounded"
"""Mark (in `exp.Join.meta`) of a join that means all rows ever, as in batch: without a time bound in its condition it
is a regular join, and the default bound ('join.within') is not for it."""


class Joined:
    """Joins made so far.

    Attributes:
        added: columns that the joins add to what ``*`` would mean.
        filters: whether one of them drops rows (SEMI, ANTI).
    """

    def __init__(self, taken: Collection[str]) -> None:
        self.joins: list[exp.Join] = []
        self.added: list[str] = []
        self.filters = False
        self._taken = set(taken)

    def number(self) -> int:
        """A number such that no input is called ``subquery_<number>``."""
        number = next(n for n in range(1, 10_000) if f"subquery_{n}" not in self._taken)
        self._taken.add(f"subquery_{number}")
        return number

    def filter(self, inner: Inner, on: Sequence[exp.Expr], *, keep: bool) -> None:
        """SEMI JOIN (`keep`) or ANTI JOIN."""
        self.filters = True
        self._add(exp.Join(this=inner.relation(), kind="SEMI" if keep else "ANTI", on=_all(on)))

    def left(self, relation: exp.Subquery, names: Sequence[str], on: Sequence[exp.Expr]) -> None:
        """LEFT JOIN; `names` are the relation's columns."""
        self.added += names
        self._add(exp.Join(this=relation, side="LEFT", on=_all(on)))

    def cross(self, relation: exp.Subquery, names: Sequence[str]) -> None:
        """CROSS JOIN with a relation of one row."""
        self.added += names
        self._add(exp.Join(this=relation, kind="CROSS"))

    def takes(self, condition: exp.Expr, *, since: int) -> bool:
        """Make the one CROSS JOIN among those made since into a SEMI JOIN on the condition, when that is all it is for.

        A filter is looked at again only where it turns; a column of the row would be in every row that comes out.
        """
        made = self.joins[since:]
        crossed = [j for j in made if j.kind == "CROSS"]
        if len(crossed) != 1 or condition.find(exp.Query) is not None:
            return False
        (join,) = crossed
        alias = join.this.alias
        used = [c for other in made for c in (other.args.get("on") or exp.true()).find_all(exp.Column)]
        if any(c.table == alias for c in used) or not any(c.table == alias for c in condition.find_all(exp.Column)):
            return False
        names = {e.alias for e in join.this.this.expressions}
        self.added = [name for name in self.added if name not in names]
        self.joins.remove(join)
        self.filters = True
        join.set("kind", "SEMI")
        join.set("on", condition.copy())
        self.joins.append(join)
        return True

    def _add(self, join: exp.Join) -> None:
        join.meta[UNBOUNDED] = True
        self.joins.append(join)


def _all(on: Sequence[exp.Expr]) -> exp.Expr:
    return exp.and_(*(e.copy() for e in on), copy=False) if on else exp.true()
