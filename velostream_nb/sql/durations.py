"""Durations as people write them, to integer microseconds."""

from __future__ import annotations

import re
from fractions import Fraction

from velostream_nb.core.errors import ParseError, Place

_US = {
    "us": 1, "µs": 1, "μs": 1, "usec": 1, "microsecond": 1,
    "ms": 1_000, "msec": 1_000, "milli": 1_000, "millisecond": 1_000,
    "s": 1_000_000, "sec": 1_000_000, "second": 1_000_000,
    "m": 60_000_000, "min": 60_000_000, "minute": 60_000_000,
    "h": 3_600_000_000, "hr": 3_600_000_000, "hour": 3_600_000_000,
    "d": 86_400_000_000, "day": 86_400_000_000,
    "w": 604_800_000_000, "week": 604_800_000_000,
}  # fmt: skip
UNITS = frozenset(_US) | {unit + "s" for unit in _US if len(unit) > 1}
"""Every unit word that has a fixed length, lower case."""

_CALENDAR = {"mon", "month", "quarter", "year", "decade", "century", "millennium", "y", "yr", "mo"}
_MAX_US = 2**62
_MAX_CHARS = 200

EXAMPLES = "write it as 250ms, 30s, 5m, 1h, 1d, 1h30m or INTERVAL '5' MINUTE"

_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_PART = re.compile(rf"\s*([+-]?)\s*({_NUMBER})\s*([^\W\d_]+)\s*,?")
_CLOCK = re.compile(r"\s*([+-]?)([0-9]{1,6}):([0-9]{1,2})(?::([0-9]{1,2}(?:\.[0-9]+)?))?\s*$")
_INTERVAL = re.compile(
    r"\s*(?P<sign>-?)\s*INTERVAL\b\s*(?:'(?P<text>[^']*)'|\(?\s*(?P<number>[+-]?[0-9.]+)\s*\)?)\s*(?P<unit>[^\W\d_]*)\s*$",
    re.IGNORECASE,
)


def parse_duration_us(text: str, *, place: Place | None = None) -> int:
    """Microseconds of ``5m``, ``1h30m``, ``5 minutes``, ``00:05:00``, ``INTERVAL '5' MINUTE`` and their kin.

    Units go from microseconds to weeks; a leading minus makes it negative. Upper-case ``M`` is refused because it
    means a month elsewhere.

    Raises:
        ParseError: not a duration, a month or a year, less than a microsecond, or past 146,000 years.

    Examples:
        >>> parse_duration_us("1h30m"), parse_duration_us("INTERVAL '5' SECOND")
        (5400000000, 5000000)
    """
    if len(text) > _MAX_CHARS:
        raise ParseError(f"{_shown(text)} is too long for a duration", hint=EXAMPLES, place=place)
    body, sign = text, 1
    if found := _INTERVAL.match(text):
        sign = -1 if found["sign"] else 1
        body = (found["text"] if found["text"] is not None else found["number"]) + " " + found["unit"]
    total = _clock(body)
    if total is None:
        total = _parts(body.strip(), text, place)
    if total.denominator != 1:
        raise ParseError(f"{_shown(text)} is finer than a microsecond", hint=EXAMPLES, place=place)
    if abs(total) > _MAX_US:
        raise ParseError(f"{_shown(text)} is too long for a duration", hint=EXAMPLES, place=place)
    return sign * int(total)


def interval_sql(us: int) -> str:
    """A duration as an INTERVAL literal in the largest unit that divides it.

    Examples:
        >>> interval_sql(300_000_000)
        "INTERVAL '5' MINUTE"
    """
    for unit in ("day", "hour", "minute", "second", "millisecond", "microsecond"):
        if us % _US[unit] == 0:
            break
    return f"INTERVAL '{us // _US[unit]}' {unit.upper()}"


def _clock(body: str) -> Fraction | None:
    found = _CLOCK.match(body)
    if not found:
        return None
    hours, minutes, seconds = int(found[2]), int(found[3]), Fraction(found[4] or 0)
    total = (hours * 3600 + minutes * 60 + seconds) * 1_000_000
    return -total if found[1] == "-" else Fraction(total)


def _parts(body: str, text: str, place: Place | None) -> Fraction:
    total, at, direction = Fraction(0), 0, 1
    while found := _PART.match(body, at):
        unit = found[3] if found[3] == "M" else found[3].lower()
        if unit not in UNITS:
            raise _bad_unit(found[3], text, place)
        # a sign holds until the next one, so that -1h30m is minus ninety minutes
        direction = {"-": -1, "+": 1, "": direction}[found[1]]
        total += direction * Fraction(found[2]) * _US.get(unit, _US.get(unit.removesuffix("s"), 0))
        at = found.end()
    if at != len(body) or not body:
        if re.fullmatch(rf"[+-]?{_NUMBER}", body):
            raise ParseError(f"the duration {_shown(text)} has no unit", hint=EXAMPLES, place=place)
        raise ParseError(f"{_shown(text)} is not a duration", hint=EXAMPLES, place=place)
    return total


def _bad_unit(unit: str, text: str, place: Place | None) -> ParseError:
    if unit.lower().removesuffix("s") in _CALENDAR or unit == "M":
        asked = "M (month, or minute?)" if unit == "M" else f"a {unit.lower().removesuffix('s')}"
        hint = "write 5m for minutes" if unit == "M" else "write it in days, such as 30d"
        return ParseError(f"{asked} in {_shown(text)} has no fixed length", hint=hint, place=place)
    return ParseError(f"unknown unit {unit!r} in the duration {_shown(text)}", hint=EXAMPLES, place=place)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
