"""What OVER (…) says: the order as event time and tie breakers, the frame in rows, groups or units of event time."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from velostream_nb.core.errors import ParseError
from velostream_nb.core.records import TS
from velostream_nb.sql.bounds import interval_us
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import Node
from velostream_nb.sql.scope import is_column, named, stream_time, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

_EPOCHS = {
    "EPOCH": Fraction(1_000_000), "EPOCH_MS": Fraction(1_000), "EPOCH_US": Fraction(1), "EPOCH_NS": Fraction(1, 1_000),
}  # fmt: skip
"""Functions of event time as a number: microseconds of their unit."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order by event time.

    Attributes:
        key: the first ORDER BY expression, bound; None when no order was written.
        by: the time column it is when that is not event time itself.
        scale: microseconds of one unit of a number that stands for event time; None when the key is a TIMESTAMP.
        unit_us: event times within one unit are equal to the order.
        ties: further ORDER BY items.
    """

    key: exp.Expr | None = None
    by: str | None = None
    scale: Fraction | None = None
    unit_us: int = 1
    desc: bool = False
    ties: tuple[exp.Expr, ...] = ()

    @property
    def given(self) -> bool:
        return self.key is not None

    def rows(self, pos: tuple[str, ...]) -> list[exp.Expr]:
        """ORDER BY items that put every row in a place of its own."""
        fine = [self._item(named(c)) for c in (TS, *pos)]
        if not self.ties:
            return fine
        coarse = [self._item(self._unit())] if self.unit_us > 1 else fine[:1]
        return [*coarse, *(t.copy() for t in self.ties), *(fine if self.unit_us > 1 else fine[1:])]

    def peers(self) -> list[exp.Expr]:
        """ORDER BY items that are equal for rows that the order does not tell apart."""
        return [self._item(self._unit()), *(t.copy() for t in self.ties)]

    def frame_order(self, frame: Frame) -> list[exp.Expr]:
        """ORDER BY items of a RANGE or GROUPS frame; bounds in time count in the units of the key as written."""
        if frame.kind == "RANGE" and self.key is not None and not self.ties:
            return [self._item(self.key.copy())]
        return self.peers()

    def _unit(self) -> exp.Expr:
        if self.unit_us == 1:
            return named(TS)
        # rounded, as epoch_ms() rounds
        middle = exp.Add(this=named(TS), expression=exp.Literal.number(self.unit_us // 2))
        return exp.paren(exp.IntDiv(this=exp.paren(middle), expression=exp.Literal.number(self.unit_us)))

    def _item(self, key: exp.Expr) -> exp.Expr:
        return exp.Ordered(this=key, desc=True) if self.desc else exp.Ordered(this=key)


def ordering_of(order: exp.Expr | None, node: Node) -> Ordering | None:
    """The order of a window over the node's rows; None when it is not led by event time."""
    if order is None:
        return Ordering()
    first, *ties = order.expressions
    key = first.this.unnest()
    known = _as_time(key, node)
    if known is None:
        return None
    by, scale = known
    unit_us = int(scale) if scale is not None and scale == 1_000 else 1
    return Ordering(key, by, scale, unit_us, bool(first.args.get("desc")), tuple(ties))


def _as_time(key: exp.Expr, node: Node) -> tuple[str | None, Fraction | None] | None:
    """(time column other than event time itself, µs of a unit) of an expression that rises with event time."""
    if text(key) == text(stream_time()):
        return None, None
    scale, inner = _epoch(key)
    if text(inner.unnest()) == text(stream_time()):
        return None, scale
    column = is_column(inner, node.time)
    if column is None:
        return None
    return (column if node.time[column] else None), scale


def _epoch(key: exp.Expr) -> tuple[Fraction | None, exp.Expr]:
    """``epoch_ms(time)`` and the like: (µs of its unit, time)."""
    name, argument = "", key.this
    if isinstance(key, exp.UnixToTime) and key.text("scale") == "3":  # how sqlglot reads EPOCH_MS(x)
        name = "EPOCH_MS"
    elif isinstance(key, exp.Anonymous):
        name, argument = key.name.upper(), (key.expressions or [None])[0]
    elif isinstance(key, exp.Extract):
        name, argument = key.this.name.upper(), key.expression
    elif isinstance(key, exp.Func):
        name = text(key).partition("(")[0].upper()
    scale = _EPOCHS.get(name)
    return (None, key) if scale is None or not isinstance(argument, exp.Expr) else (scale, argument)


@dataclass(frozen=True, slots=True)
class Frame:
    """The rows that a window function sees.

    Attributes:
        kind: 'ROWS', 'RANGE' or 'GROUPS'.
        start, end: bounds relative to the current row, negative before it, in rows, groups or units of event time
            (RANGE: rounded outwards); None when unbounded.
        exclude: 'CURRENT ROW', 'GROUP', 'TIES', or '' for nothing.
    """

    kind: str
    start: int | None
    end: int | None
    exclude: str = ""

    def forward(self, ordering: Ordering) -> Frame:
        """The same frame along rising event time."""
        if not ordering.desc:
            return self
        start, end = (None if b is None else -b for b in (self.end, self.start))
        return replace(self, start=start, end=end)


def frame_of(planner: Planner, window: exp.Window, ordering: Ordering) -> Frame:
    """The frame as written, or DuckDB's default; refuses bounds that are not constant."""
    spec = window.args.get("spec")
    if spec is None:
        return Frame("RANGE" if ordering.given else "ROWS", None, 0)
    kind = spec.text("kind").upper()
    offset = isinstance(spec.args.get("start"), exp.Expr)
    if not ordering.given and (kind == "GROUPS" or (kind == "RANGE" and offset)):
        planner.refuse(f"a {kind} frame needs ORDER BY", "order by event time, or write ROWS", window)
    bound = _Bounds(planner, window, kind, ordering)
    start = bound.read(spec.args.get("start"), spec.text("start_side"))
    end = bound.read(spec.args.get("end"), spec.text("end_side")) if spec.args.get("end") is not None else 0
    exclude = spec.text("exclude").upper()
    if kind == "RANGE" and not ordering.given:
        kind = "ROWS"
    return Frame(kind, start, end, "" if exclude == "NO OTHERS" else exclude)


@dataclass(frozen=True, slots=True)
class _Bounds:
    planner: Planner
    window: exp.Window
    kind: str
    ordering: Ordering

    def read(self, bound: object, side: str) -> int | None:
        if isinstance(bound, str):
            return None if bound.upper() == "UNBOUNDED" else 0
        assert isinstance(bound, exp.Expr)
        following = side.upper() == "FOLLOWING"
        size = self._whole(bound) if self.kind != "RANGE" else self._time(bound)
        if size is None or size < 0:
            self._refuse()
        if self.kind != "RANGE":
            return int(size) if following else -int(size)
        # outwards: what the frame may look at, never less
        units = size / self.ordering.unit_us
        slack = 1 if self.ordering.scale == 1_000_000 else 0  # epoch() is a DOUBLE
        start = self.window.args["spec"].args.get("start") is bound
        if following:
            return math.floor(units) - slack if start else math.ceil(units) + slack
        return -math.ceil(units) - slack if start else -math.floor(units) + slack

    def _whole(self, bound: exp.Expr) -> Fraction | None:
        if isinstance(bound, exp.Literal) and not bound.is_string and bound.name.isdecimal():
            return Fraction(bound.name)
        return None

    def _time(self, bound: exp.Expr) -> Fraction | None:
        """A RANGE bound in microseconds."""
        scale = self.ordering.scale
        if scale is not None:
            number = isinstance(bound, exp.Literal) and not bound.is_string
            return Fraction(bound.name) * scale if number else None
        size = length_us(bound)
        return None if size is None else Fraction(size)

    def _refuse(self) -> NoReturn:
        example = f"{self.kind} 20 PRECEDING"
        if self.kind == "RANGE" and self.ordering.scale is None:
            example = "RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW"
        elif self.kind == "RANGE":
            example = "RANGE 5000 PRECEDING"
        what = "constant bounds of a fixed length" if self.kind == "RANGE" else "whole numbers as bounds"
        self.planner.refuse(f"a {self.kind} frame needs {what}", f"write {example}", self.window)


def length_us(tree: exp.Expr) -> int | None:
    """Microseconds of a constant INTERVAL, however it is spelled; None for anything else (months among it)."""
    tree = tree.unnest()
    if isinstance(tree, exp.Cast) and tree.to.is_type("interval") and isinstance(tree.this, exp.Literal):
        try:
            return parse_duration_us(tree.this.name)
        except ParseError:
            return None
    if isinstance(tree, exp.Anonymous) and tree.name.lower().startswith("to_") and len(tree.expressions) == 1:
        number = tree.expressions[0]
        if not isinstance(number, exp.Literal) or number.is_string:
            return None
        unit = tree.name.lower().removeprefix("to_")
        return interval_us(exp.Interval(this=exp.Literal.string(number.name), unit=exp.Var(this=unit)))
    return interval_us(tree)
