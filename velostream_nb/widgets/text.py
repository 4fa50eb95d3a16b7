"""Numbers, times and words as the screens write them; the only place where text becomes HTML."""

from __future__ import annotations

import html
import math
from datetime import UTC, datetime

DASH = "–"
"""What stands where there is no value."""

_MINUS = "−"


def escape(value: object) -> str:
    """Text from a record, safe inside HTML text and inside a double-quoted attribute."""
    return html.escape(str(value), quote=True)


def is_missing(value: float | None) -> bool:
    """None, NaN and infinities have nothing to show."""
    return value is None or not math.isfinite(value)


def fixed(value: float | None, decimals: int = 2, *, sign: bool = False) -> str:
    """Thousands separated, a real minus sign, never '-0.00'."""
    if value is None or is_missing(value):
        return DASH
    rounded = round(value, decimals)
    body = f"{abs(rounded):,.{decimals}f}"
    if rounded < 0:
        return _MINUS + body
    return "+" + body if sign and rounded > 0 else body


def price(value: float | None) -> str:
    """Two decimals, four below one."""
    small = value is not None and not is_missing(value) and 0 < abs(value) < 1
    return fixed(value, 4 if small else 2)


def percent(fraction: float | None) -> str:
    """A fraction as a signed percentage: 0.0084 -> '+0.84%'."""
    if fraction is None or is_missing(fraction):
        return DASH
    return fixed(fraction * 100, 2, sign=True) + "%"


def compact(value: float | None, *, unit: str = "") -> str:
    """Three significant digits and a letter: 5_000_000_000 -> '5.00B'; whole numbers below 1000 stay whole."""
    if value is None or is_missing(value):
        return DASH
    size = abs(value)
    sign = _MINUS if value < 0 else ""
    for limit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            scaled = size / limit
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{sign}{unit}{scaled:.{decimals}f}{letter}"
    body = f"{size:.0f}" if size >= 100 or size == int(size) else f"{size:.3g}"
    return sign + unit + body


def arrow(change: float | None) -> str:
    """Direction as a shape, so that colour is never alone."""
    if change is None or is_missing(change) or change == 0:
        return "▬"
    return "▲" if change > 0 else "▼"


def trend(change: float | None) -> str:
    """The CSS class of a change: up, down or flat."""
    if change is None or is_missing(change) or change == 0:
        return "flat"
    return "up" if change > 0 else "down"


def clock(time_us: int | None, *, tenths: bool = False) -> str:
    """Event time as UTC HH:MM:SS, with tenths of a second when asked for."""
    if time_us is None:
        return "--:--:--"
    moment = datetime.fromtimestamp(time_us // 1_000_000, tz=UTC)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{time_us % 1_000_000 // 100_000}" if tenths else text


def span(duration_us: int | None) -> str:
    """A duration in its largest fitting unit: '0.3 s', '12 s', '4 m', '2 h'; a negative one keeps its sign."""
    if duration_us is None:
        return DASH
    sign = _MINUS if duration_us < 0 else ""
    seconds = abs(duration_us) / 1_000_000
    if seconds < 9.95:
        return f"{sign}{seconds:.1f} s"
    if seconds < 119.5:
        return f"{sign}{seconds:.0f} s"
    if seconds < 7200:
        return f"{sign}{seconds / 60:.0f} m"
    return f"{sign}{seconds / 3600:.0f} h"


def cell(value: object) -> str:
    """Any value of an Arrow row as plain text (not yet escaped)."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return fixed(value, 0) if abs(value) < 1e15 else str(value)
    if isinstance(value, float):
        return compact(value) if abs(value) >= 1e9 else fixed(value, 4 if 0 < abs(value) < 1 else 2)
    if isinstance(value, datetime):
        return value.strftime("%H:%M:%S.") + f"{value.microsecond // 1000:03d}"
    return str(value)
