"""Times, dates and intervals, value by value: what fits a column and what does not."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa

from velostream_nb.codecs.numbers import whole
from velostream_nb.codecs.verdicts import misfit, out_of_range
from velostream_nb.core.intervals import read_interval

MIN_TIME_MS = -62_135_596_800_000
MAX_TIME_MS = 253_402_300_799_999
"""Epoch milliseconds of the years 1 to 9999: outside, a number is taken for a wrong unit, not for a time."""

_EPOCH = dt.datetime(1970, 1, 1)  # naive UTC, as all times inside
_MICROSECOND = dt.timedelta(microseconds=1)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}.*)?\Z", re.ASCII)
_MOST_US = 2**63 // 1_000


def interval(value: Any, path: str) -> pa.MonthDayNano:
    """Texts as `intervals.read_interval` reads them; numbers are milliseconds, as in times."""
    found = None
    if isinstance(value, (pa.MonthDayNano, dt.timedelta)):
        return value
    if isinstance(value, str):
        found = read_interval(value)
    elif isinstance(value, (list, tuple)) and len(value) == 3 and all(type(part) is int for part in value):
        found = pa.MonthDayNano(tuple(value))  # as it comes over a wire that knows tuples as lists
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        us = int((Decimal(repr(value)) if isinstance(value, float) else Decimal(value)) * 1_000)
        found = pa.MonthDayNano((0, 0, us * 1_000)) if abs(us) < _MOST_US else None
    if found is None:
        raise misfit("an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds", value, path)
    return found


def timestamp_us(value: Any, path: str) -> int:
    """Microseconds since the epoch, from epoch milliseconds or ISO-8601."""
    wanted = "epoch milliseconds or an ISO-8601 time"
    if isinstance(value, dt.datetime):
        return to_epoch_us(value)
    if isinstance(value, dt.date):
        return to_epoch_us(dt.datetime(value.year, value.month, value.day))
    if isinstance(value, str) and _ISO_TIME.match(text := value.strip()):
        try:
            return to_epoch_us(dt.datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise misfit(wanted, value, path) from error
    time_ms = whole(value, wanted, path, text=True)
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise out_of_range(time_ms, f"epoch milliseconds{_unit_hint(time_ms)}", path)
    return time_ms * 1_000


def to_epoch_us(at: dt.datetime) -> int:
    """Microseconds since the epoch; a time without a zone is UTC."""
    if at.tzinfo is not None:
        at = at.astimezone(dt.UTC).replace(tzinfo=None)
    return (at - _EPOCH) // _MICROSECOND


def _unit_hint(time_ms: int) -> str:
    for factor, unit in ((1_000, "microseconds"), (1_000_000, "nanoseconds")):
        if MIN_TIME_MS <= time_ms // factor <= MAX_TIME_MS:
            return f" (are these {unit}?)"
    return ""


def date(value: Any, path: str) -> dt.date:
    """An ISO-8601 date, or the date of a time."""
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str) and _ISO_DATE.match(text := value.strip()):
        try:
            return dt.date.fromisoformat(text)
        except ValueError as error:
            raise misfit("a date like 2026-01-31", value, path) from error
    raise misfit("a date like 2026-01-31", value, path)


def time(value: Any, path: str) -> dt.time:
    """An ISO-8601 time of day; its zone does not count."""
    if isinstance(value, dt.time):
        return value
    try:
        return dt.time.fromisoformat(value.strip()).replace(tzinfo=None)
    except (ValueError, AttributeError) as error:
        raise misfit("a time like 14:30:00", value, path) from error
