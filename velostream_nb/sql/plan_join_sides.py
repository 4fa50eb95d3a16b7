"""One join on its way into the plan: its two sides, its conditions, and what of WHERE it may take."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan import Node
from velostream_nb.sql.plan_over import has_window
from velostream_nb.sql.scope import Scope, columns_of, is_column, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

Pairs = tuple[tuple[str, str], ...]
"""(column of an input, column of the join)."""

_PUSHED = {"inner": (0, 1), "left": (0,), "right": (1,), "full": (), "semi": (0,), "anti": (0,)}
"""Per kind the sides below which a filter of WHERE gives the same answer: those that are not filled up with NULLs."""


def kind_of(planner: Planner, join: exp.Join) -> str:
    """'inner', 'left', 'right', 'full', 'semi' or 'anti'."""
    side, kind = (join.side or "").upper(), (join.kind or "").upper()
    if kind in ("SEMI", "ANTI") and side in ("", "LEFT"):
        return kind.lower()
    if kind not in ("", "INNER", "OUTER", "CROSS") or side not in ("", "LEFT", "RIGHT", "FULL"):
        planner.refuse(
            f"{side} {kind} JOIN is not supported".replace("  ", " "),
            "name the inputs the other way round, and use LEFT, SEMI or ANTI JOIN",
            join,
        )
    return side.lower() or "inner"


@dataclass(slots=True)
class Sides:
    """A join whose inputs are planned and named.

    Attributes:
        kind: see `kind_of`.
        left_pairs, right_pairs: the columns of both sides and what they are called from here on.
        conditions: ON, USING and NATURAL as bound conjuncts.
        names: what people call the two sides, for notes.
    """

    planner: Planner
    scope: Scope
    join: exp.Join
    kind: str
    left: Node
    right: Node
    left_pairs: Pairs
    right_pairs: Pairs
    conditions: list[exp.Expr]
    names: tuple[str, str]

    @property
    def left_names(self) -> dict[str, str]:
        return dict(self.left_pairs)

    @property
    def right_names(self) -> dict[str, str]:
        return dict(self.right_pairs)

    @property
    def columns(self) -> tuple[str, ...]:
        """The output's columns."""
        pairs = self.left_pairs if self.kind in ("semi", "anti") else (*self.left_pairs, *self.right_pairs)
        return tuple(o for _, o in pairs)

    def equalities(self, conditions: Iterable[exp.Expr]) -> list[tuple[str, str]]:
        """(left column, right column), under their own names, of the conjuncts that compare plain columns."""
        return [pair for c in conditions if (pair := self.equality(c)) is not None]

    def equality(self, part: exp.Expr) -> tuple[str, str] | None:
        """(left column, right column) when the conjunct is ``left = right`` of plain columns."""
        part = part.unnest()
        if not isinstance(part, exp.EQ):
            return None
        lefts, rights = ({o: c for c, o in pairs} for pairs in (self.left_pairs, self.right_pairs))
        for one, other in ((part.left, part.right), (part.right, part.left)):
            a, b = is_column(one, lefts), is_column(other, rights)
            if a is not None and b is not None:
                return lefts[a], rights[b]
        return None

    def same(self, equal: Iterable[tuple[str, str]]) -> None:
        """Tell the scope that these columns are equal in every row: an unqualified name may mean either."""
        if self.kind == "inner":
            self.scope.equal += [{self.left_names[a], self.right_names[b]} for a, b in equal]


class Filters:
    """The conjuncts of WHERE that no join has taken yet, unbound.

    Attributes:
        rest: those.
        open: False while a later join fills up what is joined so far with NULLs: then none may be taken.
    """

    def __init__(self, scope: Scope, filters: list[exp.Expr]) -> None:
        self.scope = scope
        self.rest = list(filters)
        self.open = True

    def of_both(self, sides: Sides) -> list[exp.Expr]:
        """Those that compare the two sides."""
        left, right = set(sides.left_names.values()), set(sides.right_names.values())
        return [f for f in self.rest if self.open and self._reads_both(f, left, right)]

    def take(self, chosen: list[exp.Expr]) -> list[exp.Expr]:
        """Bound copies of some of `rest`, which lose them."""
        self.rest = [f for f in self.rest if not any(f is c for c in chosen)]
        return [self.scope.bind(f) for f in chosen]

    def pushed(self, sides: Sides, allowed: tuple[int, ...] | None = None) -> tuple[list[exp.Expr], list[exp.Expr]]:
        """Those that move below the join, per side, bound to that side's own names; `rest` loses them."""
        below: tuple[list[exp.Expr], list[exp.Expr]] = ([], [])
        if not self.open:
            return below
        rest = []
        allowed = _PUSHED[sides.kind] if allowed is None else allowed
        back = [{o: c for c, o in pairs} for pairs in (sides.left_pairs, sides.right_pairs)]
        for condition in self.rest:
            names = self._columns(condition)
            side = next((i for i in allowed if names and names <= set(back[i])), None)
            if side is None:
                rest.append(condition)
            else:
                below[side].append(under(self.scope.bind(condition), back[side]))
        self.rest = rest
        return below

    def _reads_both(self, condition: exp.Expr, left: set[str], right: set[str]) -> bool:
        names = self._columns(condition)
        return bool(names & left) and bool(names & right) and names <= left | right

    def _columns(self, condition: exp.Expr) -> set[str]:
        """The internal names it reads; none when they cannot all be told now (SELECT items, later inputs)."""
        aliases = {i.alias.lower() for i in self.scope.inputs}
        if has_window(condition) or "VELO_NOW" in text(condition).upper():
            return set()
        for column in condition.find_all(exp.Column):
            if (column.table and column.table.lower() not in aliases) or self.scope.resolve(column) is None:
                return set()
        return columns_of(self.scope.bind(condition))


def under(condition: exp.Expr, names: dict[str, str]) -> exp.Expr:
    """A bound condition with columns renamed, in place."""
    for column in list(condition.find_all(exp.Column)):
        if column.name in names:
            column.this.set("this", names[column.name])
    return condition


def both_sql(conditions: Collection[exp.Expr]) -> str:
    """The conjuncts as one condition, '' for none."""
    return " AND ".join(f"({text(c)})" for c in conditions)
