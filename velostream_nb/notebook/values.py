"""Arrow columns as the texts of a table: decimals that fit the whole column, times without needless zeros."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

MAX_CHARS = 120
"""Characters of one cell; the rest is cut off."""

_MAX_DECIMALS = 6
_CENTS = 2
_GROUP_FROM = 10_000
"""Four-digit numbers are read more easily without a separator, as years are."""


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """One text a row, control characters made visible; None for NULL, which is not the text "NULL"."""
    kind = column.type
    values = column.to_pylist()
    known = [value for value in values if value is not None]
    write = _writer(kind, known)
    return [None if value is None else shorten(write(value)) for value in values]


def is_number(kind: pa.DataType) -> bool:
    """Columns that are aligned right."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def shorten(text: str) -> str:
    """At most `MAX_CHARS` characters on one line."""
    line = "".join(c if c.isprintable() else _VISIBLE.get(c, "�") for c in text[: MAX_CHARS + 1])
    return line if len(line) <= MAX_CHARS else line[: MAX_CHARS - 1] + "…"


_VISIBLE = {"\n": "⏎", "\r": "", "\t": " ", "\xa0": " ", "\u3000": " "}


def _writer(kind: pa.DataType, known: Sequence[Any]) -> Callable[[Any], str]:
    if pa.types.is_boolean(kind):
        return lambda value: "true" if value else "false"
    if pa.types.is_integer(kind):
        return _integer
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(known)
    if pa.types.is_timestamp(kind):
        return _times(known)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return lambda value: "\\x" + value[:MAX_CHARS].hex()
    if pa.types.is_nested(kind):
        return lambda value: json.dumps(value, ensure_ascii=False, default=str)
    return str


def _integer(value: int) -> str:
    return f"{value:,}" if abs(value) >= _GROUP_FROM else str(value)


def _numbers(known: Sequence[float | Decimal]) -> Callable[[float | Decimal], str]:
    """One number of decimals for the column, so that points stand below each other."""
    finite = [float(value) for value in known if math.isfinite(value)]
    largest = max((abs(value) for value in finite), default=0.0)
    smallest = min((abs(value) for value in finite if value), default=1.0)
    if largest >= 1e15 or smallest < 1e-4:
        return lambda value: f"{value:.6g}"
    decimals = 0
    # cents are always shown, further decimals as long as they say something
    while decimals < _MAX_DECIMALS and any(_lossy(value, decimals) for value in finite):
        decimals += 1
    group = "," if largest >= _GROUP_FROM else ""
    return lambda value: f"{value:{group}.{decimals}f}" if math.isfinite(value) else str(value)


def _lossy(value: float, decimals: int) -> bool:
    """Would so few decimals hide cents, or anything of the first six digits?"""
    digits = 6 if decimals >= _CENTS else 12
    return not math.isclose(round(value, decimals), value, rel_tol=0.5 * 10 ** (1 - digits), abs_tol=0.0)


def _times(known: Sequence[dt.datetime]) -> Callable[[dt.datetime], str]:
    micros = [value.microsecond for value in known]
    digits = 0 if not any(micros) else 3 if all(m % 1000 == 0 for m in micros) else 6

    def write(value: dt.datetime) -> str:
        text = value.strftime("%Y-%m-%d %H:%M:%S")
        return text + (f".{value.microsecond:06d}"[: digits + 1] if digits else "")

    return write
