"""Intervals as texts: ISO-8601 durations, and what DuckDB prints and reads."""

from __future__ import annotations

import re
from decimal import Decimal

import pyarrow as pa

_NUMBER = r"([+-]?\d+(?:\.\d+)?)"
_ISO = re.compile(
    rf"([+-]?)P(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=[\d+-])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?\Z",
    re.ASCII | re.IGNORECASE,
)
_PART = re.compile(rf"\s*(?:{_NUMBER}\s*([a-zA-Zµ]+)|([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?)(?=\s|\Z)", re.ASCII)
_MONTHS = {"month": 1, "mon": 1, "quarter": 3, "year": 12, "yr": 12, "y": 12, "decade": 120}
_DAYS = {"day": 1, "d": 1, "week": 7, "w": 7}
_NANOSECONDS = {
    "hour": 3_600 * 10**9, "hr": 3_600 * 10**9, "h": 3_600 * 10**9, "minute": 60 * 10**9, "min": 60 * 10**9,
    "m": 60 * 10**9, "second": 10**9, "sec": 10**9, "s": 10**9, "millisecond": 10**6, "ms": 10**6,
    "microsecond": 10**3, "us": 10**3, "µs": 10**3,
}  # fmt: skip
_INT32 = 2**31
_INT64 = 2**63


def read_interval(text: str) -> pa.MonthDayNano | None:
    """``P1M2DT3.5S``, ``1 month 2 days 00:00:03.5`` or ``-5 minutes``; None for a text that is no interval.

    Fractions are for days and less: half a month is no number of days.
    """
    text = text.strip()
    match = _ISO.match(text)
    if match is not None:
        if text.upper().rstrip("+-") in ("P", "-P", "+P"):
            return None
        sign = -1 if match[1] == "-" else 1
        years, months, weeks, days, hours, minutes, seconds = (Decimal(part or 0) * sign for part in match.groups()[1:])
        clock = hours * 3_600 + minutes * 60 + seconds
        return _made(years * 12 + months, weeks * 7 + days, clock * 10**9)
    return _read_words(text)


def _read_words(text: str) -> pa.MonthDayNano | None:
    months = days = nanoseconds = Decimal(0)
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return None
        at = match.end()
        number, unit, sign, hours, minutes, seconds = match.groups()
        if unit is None:
            clock = int(hours) * 3_600 + int(minutes) * 60 + Decimal(seconds or 0)
            nanoseconds += clock * 10**9 * (-1 if sign == "-" else 1)
            continue
        word = unit.lower() if unit.lower() in _NANOSECONDS else unit.lower().removesuffix("s")
        if word in _MONTHS:
            months += Decimal(number) * _MONTHS[word]
        elif word in _DAYS:
            days += Decimal(number) * _DAYS[word]
        elif word in _NANOSECONDS:
            nanoseconds += Decimal(number) * _NANOSECONDS[word]
        else:
            return None
    return _made(months, days, nanoseconds) if text else None


def _made(months: Decimal, days: Decimal, nanoseconds: Decimal) -> pa.MonthDayNano | None:
    """The parts in whole numbers, a part of a day as time; None where they are out of range."""
    whole_days = int(days)
    nanoseconds += (days - whole_days) * 86_400 * 10**9
    fits = abs(months) < _INT32 and abs(whole_days) < _INT32 and abs(nanoseconds) < _INT64
    if months != int(months) or not fits:
        return None
    # DuckDB counts microseconds
    return pa.MonthDayNano((int(months), whole_days, int(nanoseconds // 1_000) * 1_000))


def iso_interval(value: pa.MonthDayNano) -> str:
    """The ISO-8601 duration, in months, days and seconds."""
    seconds = Decimal(value.nanoseconds).scaleb(-9).normalize()
    return f"P{value.months}M{value.days}DT{seconds:f}S"
