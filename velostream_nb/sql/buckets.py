"""Expressions that round event time down, and how far behind event time an expression of it may be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.core.errors import ParseError
from velostream_nb.sql.bounds import interval_us, unit_us
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import US, Window
from velostream_nb.sql.scope import is_column

_DAY_US = 86_400 * US
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_MONDAY_US = 4 * _DAY_US
"""The first Monday since the epoch, where weeks begin."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """``time_bucket(…)``, ``date_trunc(…)`` or ``CAST(… AS DATE)`` of a time column: the start of a tumbling window.

    Attributes:
        by: internal name of the time column.
        dtype: the type the expression has when it is not TIMESTAMP.
    """

    by: str
    window: Window
    dtype: str | None = None


def bucket_of(tree: exp.Expr, times: Mapping[str, int]) -> Bucket | None:
    """The window whose start the (bound) expression is; None for anything else."""
    tree = tree.unnest()
    if isinstance(tree, exp.Cast | exp.Date):
        dated = isinstance(tree, exp.Date) or tree.to.is_type("date")
        by = is_column(tree.this, times) if dated and isinstance(tree.this, exp.Expr) else None
        return None if by is None else Bucket(by, Window(_DAY_US, _DAY_US), "DATE")
    if isinstance(tree, exp.DateTrunc | exp.TimestampTrunc):
        by, window = is_column(tree.this, times), _unit(tree.text("unit").upper())
        return None if by is None or window is None else Bucket(by, window)
    if isinstance(tree, exp.DateBin) and isinstance(tree.expression, exp.Expr):
        by = is_column(tree.expression, times)
        window = _binned(tree.this, tree.args.get("unit") or tree.args.get("origin"))
        return None if by is None or window is None else Bucket(by, window)
    return None


def _unit(unit: str) -> Window | None:
    """``date_trunc('unit', …)``."""
    if unit in _MONTHS:
        return Window(0, 0, months=_MONTHS[unit])
    size = unit_us(unit)
    return None if size is None else Window(size, size, _MONDAY_US if unit.startswith("WEEK") else 0)


def _binned(width: exp.Expr, origin: exp.Expr | None) -> Window | None:
    """``time_bucket(width, …[, origin or offset])``; without an origin buckets are aligned to 1970."""
    months = _months(width)
    size = _length_us(width)
    offset = 0 if origin is None else _origin_us(origin)
    if offset is None:
        return None
    if months:
        return Window(0, 0, months=months) if offset == 0 else None
    return None if size is None or size <= 0 else Window(size, size, offset % size)


def _months(width: exp.Expr) -> int | None:
    if not isinstance(width, exp.Interval) or not isinstance(width.this, exp.Expr):
        return None
    unit = width.text("unit").upper()
    number = width.this.name
    per = _MONTHS.get(unit) or _MONTHS.get(unit.removesuffix("S"))
    return int(number) * per if per and number.isdecimal() and len(number) < 6 else None


def _length_us(width: exp.Expr) -> int | None:
    if isinstance(width, exp.Cast) and width.to.is_type("interval"):
        width = width.this
    if isinstance(width, exp.Literal) and width.is_string:
        try:
            return parse_duration_us(width.name)
        except ParseError:
            return None
    return interval_us(width)


def _origin_us(origin: exp.Expr) -> int | None:
    """An origin (a TIMESTAMP or DATE literal) or an offset (an INTERVAL) in microseconds since the epoch."""
    offset = interval_us(origin)
    if offset is not None:
        return offset
    literal = origin.this if isinstance(origin, exp.Cast) else origin
    if not isinstance(literal, exp.Literal) or not literal.is_string:
        return None
    try:
        at = dt.datetime.fromisoformat(literal.name)
    except ValueError:
        return None
    return (at.replace(tzinfo=None) - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


def lag_of(tree: exp.Expr, times: Mapping[str, int]) -> int | None:
    """How far a (bound) expression of event time lies behind it at most, in µs; None when it is no such expression.

    Every row still to come has a value of at least ``watermark - lag``; a negative lag lies ahead. 0 is kept for the
    event-time column itself.
    """
    lag = _lag(tree, times)
    return 1 if lag == 0 and is_column(tree, times) is None else lag


def _lag(tree: exp.Expr, times: Mapping[str, int]) -> int | None:
    tree = tree.unnest()
    column = is_column(tree, times)
    if column is not None:
        return times[column]
    if isinstance(tree, exp.Add | exp.Sub):
        shift, base = interval_us(tree.right.unnest()), _lag(tree.left, times)
        if shift is None or base is None:
            return None
        return base + (shift if isinstance(tree, exp.Sub) else -shift)
    if isinstance(tree, exp.Cast | exp.Date):
        return None  # a DATE is no time column: windows are made of timestamps
    bucket = bucket_of(tree, times)
    return None if bucket is None else times[bucket.by] + bucket.window.longest_us - 1
