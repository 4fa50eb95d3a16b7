"""The condition of an interval join, part by part: what its keys, its time bound and plain comparisons say.

A part that only these say need not be evaluated for every pair of rows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.bounds import comparison_of
from velostream_nb.sql.formulas import Formula, formula_of
from velostream_nb.sql.plan import IntervalJoin, Node
from velostream_nb.sql.scope import columns_of, conjuncts, is_column, text
from velostream_nb.sql.spread import spread

_COMPARED: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("<>", "<>"),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
"""Operators as they stand, and with their sides swapped."""


@dataclass(frozen=True, slots=True)
class Part:
    """One conjunct.

    Attributes:
        sql: over output names.
        reads: the output names it reads.
        compared: (left column, operator, right column), by their own names, when it compares one plain column a side.
        low_us, high_us: when it says ``low_us <= left time - right time <= high_us`` and no more; None where open.
        times: the (left column, right column) of which it says so, both event time itself; None for the hidden ones.
        computed: an equality of one expression a side that are not both plain columns.
        formula: the same as `sql`, when it compares arithmetic of columns.
    """

    sql: str
    reads: tuple[str, ...]
    compared: tuple[str, str, str] | None = None
    times: tuple[str, str] | None = None
    low_us: int | None = None
    high_us: int | None = None
    computed: bool = False
    formula: Formula | None = None

    @property
    def bounds(self) -> bool:
        """Does it say how far event times may be apart, and nothing else?"""
        return self.low_us is not None or self.high_us is not None


def parts_of(node: IntervalJoin) -> tuple[Part, ...] | None:
    """The parts of the condition; None when one reads more than columns of the two sides."""
    if not node.condition:
        return ()
    tree: exp.Expr = exp.maybe_parse(node.condition, dialect="duckdb")
    if text(tree) != node.condition:  # what was read is not surely what was written
        return None
    names = {o: c for c, o in node.left_columns}, {o: c for c, o in node.right_columns}
    found = []
    for part in conjuncts(tree):
        one = _default(part, node) or _part(part, node, names)
        if one is None:
            return None
        found.append(one)
    return tuple(found)


def _default(part: exp.Expr, node: IntervalJoin) -> Part | None:
    """The bound that the planner adds reads hidden columns."""
    if not {c.table for c in part.find_all(exp.Column)} & {"__l", "__r"}:
        return None
    bound: exp.Expr = exp.maybe_parse(f"__l.__ts - __r.__ts BETWEEN {node.low_us} AND {node.high_us}", dialect="duckdb")
    return Part(text(part), (), low_us=node.low_us, high_us=node.high_us) if part == bound else None


def _part(part: exp.Expr, node: IntervalJoin, names: tuple[dict[str, str], dict[str, str]]) -> Part | None:
    reads = columns_of(part)
    plain = all(not column.table for column in part.find_all(exp.Column))
    if not plain or not reads <= names[0].keys() | names[1].keys() or part.find(exp.Query) is not None:
        return None
    known = text(part), tuple(sorted(reads))
    low, high, times = _bounds(part, node)
    if times is not None:
        return Part(*known, _compared(part, names), times, low, high)
    return Part(*known, _compared(part, names), computed=_is_computed(part, names), formula=formula_of(part, names))


def _compared(part: exp.Expr, names: tuple[dict[str, str], dict[str, str]]) -> tuple[str, str, str] | None:
    operators = _COMPARED.get(type(part))
    if operators is None or not isinstance(part, exp.Binary):
        return None
    for one, other, operator in ((part.left, part.right, operators[0]), (part.right, part.left, operators[1])):
        left, right = is_column(one, names[0]), is_column(other, names[1])
        if left is not None and right is not None:
            return names[0][left], operator, names[1][right]
    return None


def _is_computed(part: exp.Expr, names: tuple[dict[str, str], dict[str, str]]) -> bool:
    """DuckDB finds the matches of such an equality by hashing, which beats trying every pair of near rows."""
    if not isinstance(part, exp.EQ) or _compared(part, names) is not None:
        return False
    sides = columns_of(part.left), columns_of(part.right)
    apart = (sides[0] <= names[0].keys() and sides[1] <= names[1].keys()) or (
        sides[0] <= names[1].keys() and sides[1] <= names[0].keys()
    )
    return bool(sides[0]) and bool(sides[1]) and apart


def _bounds(part: exp.Expr, node: IntervalJoin) -> tuple[int | None, int | None, tuple[str, str] | None]:
    """(low, high, the two columns) of a conjunct that bounds event times and does nothing else."""
    steps: list[exp.Expr]
    if isinstance(part, exp.Between):
        ends = (exp.GTE, part.args["low"]), (exp.LTE, part.args["high"])
        steps = [kind(this=part.this.copy(), expression=end.copy()) for kind, end in ends]
    elif isinstance(part, exp.EQ):
        steps = [kind(this=part.left.copy(), expression=part.right.copy()) for kind in (exp.GTE, exp.LTE)]
    else:
        steps = [part]
    left, right = _times(node.inputs[0], node.left_columns), _times(node.inputs[1], node.right_columns)
    low: int | None = None
    high: int | None = None
    columns = None
    for step in steps:
        found = comparison_of(step, left, right)
        if found is None or columns not in (None, (found.left, found.right)):
            return None, None, None
        columns = found.left, found.right
        if found.at_most:
            low = -found.offset_us + found.strict
        else:
            high = -found.offset_us - found.strict
    if columns is None:
        return None, None, None
    own = {o: c for c, o in (*node.left_columns, *node.right_columns)}
    return low, high, (own[columns[0]], own[columns[1]])


def _times(node: Node, columns: Collection[tuple[str, str]]) -> set[str]:
    """Output names of the columns that are event time itself."""
    return {o for c, o in columns if (found := spread(node, c)) is not None and found.exact}
