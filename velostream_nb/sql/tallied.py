"""Aggregates that numbers alone can keep, taken apart: what they count or add up, of which rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from velostream_nb.sql.plan import Tally
from velostream_nb.sql.scope import text

_KINDS: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
}
_ONCE = ("count", "sum", "avg")
"""Kinds for which DISTINCT matters; the least and the greatest value are the same without it."""


def tally_of(call: exp.Expr) -> Tally | None:
    """COUNT, SUM, AVG, MIN or MAX of one expression, with DISTINCT and FILTER; None for every other call."""
    where = ""
    if isinstance(call, exp.Filter):
        where = text(call.expression.this)
        call = call.this
    kind = _KINDS.get(type(call))
    if kind is None:
        return None
    if any(value for name, value in call.args.items() if name not in ("this", "big_int")):
        return None  # max(x, n), count(x, y)
    argument = call.this
    if argument is None or isinstance(argument, exp.Star):
        return Tally(kind, "", where) if kind == "count" else None
    if isinstance(argument, exp.Order):  # values one after another
        return None
    if not isinstance(argument, exp.Distinct):
        return Tally(kind, text(argument), where)
    if len(argument.expressions) != 1:
        return None
    return Tally(kind, text(argument.expressions[0]), where, distinct=kind in _ONCE)


def tallies_of(calls: Sequence[exp.Expr]) -> tuple[Tally, ...]:
    """All of them taken apart; () when one cannot be."""
    found = [tally_of(call) for call in calls]
    return tuple(tally for tally in found if tally is not None) if None not in found else ()
