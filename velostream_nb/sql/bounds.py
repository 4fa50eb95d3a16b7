"""How far apart in time a join condition lets two rows be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

_UNIT_US = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 7 * 86_400_000_000,
}
_EPOCH_US = {"EPOCH": 1_000_000, "EPOCH_MS": 1_000, "EPOCH_US": 1}


def unit_us(name: str) -> int | None:
    """Microseconds of a unit as written (`minutes`, `MINUTE`, 'ms'), None when it has no fixed length."""
    upper = name.upper()
    short = {"US": "MICROSECOND", "MS": "MILLISECOND", "S": "SECOND", "M": "MINUTE", "H": "HOUR", "D": "DAY"}
    upper = short.get(upper, upper)
    return _UNIT_US.get(upper) or _UNIT_US.get(upper.removesuffix("S"))


def interval_us(node: exp.Expr) -> int | None:
    """Microseconds of an INTERVAL literal; None for anything else (columns, months)."""
    if not isinstance(node, exp.Interval) or node.this is None:
        return None
    body = node.this.unnest()
    words = str(body.name if isinstance(body, (exp.Literal, exp.Neg)) else "").split()
    if isinstance(body, exp.Neg):
        words = ["-" + body.this.name]
    unit = node.text("unit") or (words[1] if len(words) == 2 else "")
    size = unit_us(unit)
    try:
        return None if size is None or not words else int(Fraction(words[0]) * size)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Linear:
    """``sum(coefficient * column_us) + constant``, times known as columns; `exact` False when a part was floored."""

    terms: dict[str, Fraction]
    constant: Fraction
    exact: bool = True

    def plus(self, other: _Linear, sign: int) -> _Linear:
        terms = dict(self.terms)
        for name, factor in other.terms.items():
            terms[name] = terms.get(name, Fraction(0)) + sign * factor
        terms = {n: f for n, f in terms.items() if f}
        return _Linear(terms, self.constant + sign * other.constant, self.exact and other.exact)

    def over(self, unit: int) -> _Linear:
        return _Linear({n: f / unit for n, f in self.terms.items()}, self.constant / unit, False)


def _linear(tree: exp.Expr, times: Collection[str]) -> _Linear | None:
    tree = tree.unnest()
    if isinstance(tree, exp.Column):
        return _Linear({tree.name: Fraction(1)}, Fraction(0)) if tree.name in times else None
    if isinstance(tree, (exp.Add, exp.Sub)):
        left, right = _linear(tree.left, times), _linear(tree.right, times)
        return None if left is None or right is None else left.plus(right, 1 if isinstance(tree, exp.Add) else -1)
    if isinstance(tree, exp.Interval):
        size = interval_us(tree)
        return None if size is None else _Linear({}, Fraction(size))
    if isinstance(tree, exp.Literal) and not tree.is_string:
        return _Linear({}, Fraction(tree.name))
    return _scaled(tree, times)


def _scaled(tree: exp.Expr, times: Collection[str]) -> _Linear | None:
    """EPOCH_MS(x), EPOCH(x), EXTRACT(EPOCH FROM x), DATE_DIFF('ms', a, b)."""
    if isinstance(tree, exp.DateDiff):
        unit = unit_us(tree.text("unit") or "DAY")
        ends = [_linear(tree.this, times), _linear(tree.expression, times)]
        if unit is None or ends[0] is None or ends[1] is None:
            return None
        return ends[0].plus(ends[1], -1).over(unit)
    if isinstance(tree, exp.UnixToTime) and tree.text("scale") == "3":  # how sqlglot reads EPOCH_MS(x)
        inner = _linear(tree.this, times)
        return None if inner is None else inner.over(1_000)
    name, argument = tree.sql_name() if isinstance(tree, exp.Func) else "", tree.this
    if isinstance(tree, exp.Anonymous):
        name, argument = tree.name.upper(), (tree.expressions or [None])[0]
    if isinstance(tree, exp.Extract):
        name, argument = tree.this.name.upper(), tree.expression
    unit = _EPOCH_US.get({"TIME_TO_UNIX": "EPOCH", "EPOCH_MILLIS": "EPOCH_MS"}.get(name, name))
    if unit is None or not isinstance(argument, exp.Expr):
        return None
    inner = _linear(argument, times)
    return None if inner is None else inner.over(unit)


@dataclass(slots=True)
class Bounds:
    """``low_us <= left - right <= high_us``; None where open."""

    low_us: int | None = None
    high_us: int | None = None

    def narrow(self, low_us: int | None, high_us: int | None) -> None:
        if low_us is not None:
            self.low_us = low_us if self.low_us is None else max(self.low_us, low_us)
        if high_us is not None:
            self.high_us = high_us if self.high_us is None else min(self.high_us, high_us)


def narrow_by(bounds: Bounds, condition: exp.Expr, left: Collection[str], right: Collection[str]) -> None:
    """Narrow the bounds by one conjunct that compares a time column of each side; others change nothing.

    The bounds only decide which rows are kept and paired up as candidates: the condition itself is still evaluated, so
    they may be wider than it, never narrower.
    """
    condition = condition.unnest()
    times = {*left, *right}
    if isinstance(condition, exp.Between):
        low, high = condition.args["low"], condition.args["high"]
        narrow_by(bounds, exp.GTE(this=condition.this.copy(), expression=low.copy()), left, right)
        narrow_by(bounds, exp.LTE(this=condition.this.copy(), expression=high.copy()), left, right)
        return
    if not isinstance(condition, (exp.GTE, exp.GT, exp.LTE, exp.LT, exp.EQ)):
        return
    for one, other, flip in ((condition.left, condition.right, False), (condition.right, condition.left, True)):
        if isinstance(one.unnest(), exp.Abs):
            _narrow_abs(bounds, condition, one.unnest().this, other, flip, times, left)
            return
    ends = _linear(condition.left, times), _linear(condition.right, times)
    if ends[0] is None or ends[1] is None:
        return
    upper = isinstance(condition, (exp.LTE, exp.LT))
    _apply(bounds, ends[0].plus(ends[1], -1), left, upper=upper, both=isinstance(condition, exp.EQ))


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left + offset_us OP right`` of two time columns; `at_most`: the right one is at most the left one."""

    left: str
    right: str
    offset_us: int
    at_most: bool
    strict: bool


def comparison_of(condition: exp.Expr, left: Collection[str], right: Collection[str]) -> Comparison | None:
    """An inequality of one time column a side, perhaps moved by a constant, either way round; else None."""
    condition = condition.unnest()
    if not isinstance(condition, (exp.GTE, exp.GT, exp.LTE, exp.LT)):
        return None
    ends = [_linear(side, {*left, *right}) for side in (condition.left, condition.right)]
    if ends[0] is None or ends[1] is None:
        return None
    form = ends[0].plus(ends[1], -1)
    own = [n for n in form.terms if n in left]
    other = [n for n in form.terms if n in right]
    if len(own) != 1 or len(other) != 1 or not form.exact:
        return None
    factor = form.terms[own[0]]
    offset = form.constant / factor
    if form.terms[other[0]] != -factor or abs(factor) != 1 or offset.denominator != 1:
        return None
    at_most = isinstance(condition, (exp.GTE, exp.GT)) == (factor > 0)
    return Comparison(own[0], other[0], int(offset), at_most, isinstance(condition, (exp.GT, exp.LT)))


def _narrow_abs(
    bounds: Bounds,
    condition: exp.Expr,
    inside: exp.Expr,
    limit: exp.Expr,
    flip: bool,
    times: Collection[str],
    left: Collection[str],
) -> None:
    """``abs(difference) <= limit`` (or ``limit >= abs(difference)``)."""
    if not isinstance(condition, (exp.GTE, exp.GT) if flip else (exp.LTE, exp.LT)):
        return
    difference, size = _linear(inside, times), _linear(limit, times)
    if difference is None or size is None or size.terms:
        return
    _apply(bounds, difference.plus(size, -1), left, upper=True, both=False)
    _apply(bounds, difference.plus(size, 1), left, upper=False, both=False)


def _apply(bounds: Bounds, form: _Linear, left: Collection[str], *, upper: bool, both: bool) -> None:
    """``form <= 0`` (upper), ``form >= 0``, or ``form = 0`` (both), where form is ``f*(l - r) + constant``."""
    if len(form.terms) != 2 or sum(form.terms.values()) != 0:
        return
    names = list(form.terms)
    own = [n for n in names if n in left]
    if len(own) != 1:
        return
    factor = form.terms[own[0]]
    slack = Fraction(0) if form.exact else abs(1 / factor)
    limit = -form.constant / factor
    above = upper == (factor > 0)  # l - r <= limit
    high = None if not (above or both) else _ceil(limit + slack)
    low = None if (above and not both) else -_ceil(slack - limit)
    bounds.narrow(low, high)


def _ceil(value: Fraction) -> int:
    return -((-value.numerator) // value.denominator)
