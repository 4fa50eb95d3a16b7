"""Rows as lines of JSON that people read, and as values that compare."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

from velostream_nb.core.intervals import iso_interval

_EXACT = Context(prec=80)

Canonical = tuple[tuple[str, Any], ...]


def rendered(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line a row."""
    return ["{" + ", ".join(f"{json.dumps(k)}: {_text(v)}" for k, v in row.items()) + "}" for row in rows]


def canonical(line: str) -> Canonical:
    """A line as a value: columns by name, numbers by value, whatever their type."""
    row = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    if not isinstance(row, dict):
        raise ValueError(f"a row is a JSON object, got {line}")
    return tuple(sorted((k, _frozen(v)) for k, v in row.items()))


def bag(lines: Iterable[str]) -> list[Canonical]:
    """Lines as a sorted bag."""
    return sorted(map(canonical, lines), key=repr)


def table_lines(table: pa.Table) -> list[str]:
    return rendered(table.to_pylist())


def _text(value: Any) -> str:
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, pa.MonthDayNano):
        return json.dumps(iso_interval(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_text, value)) + "]"
    return json.dumps(_scalar(value), ensure_ascii=False)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    # ten digits: the last ones of a sum depend on the order it was made in
    return repr(float(f"{value:.10g}") + 0.0)


def _scalar(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        text = value.isoformat(sep=" ")
        return text.rstrip("0").rstrip(".") if value.microsecond and value.tzinfo is None else text
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return _EXACT.normalize(value) if value else Decimal(0)
    if isinstance(value, dict):
        return tuple(sorted((k, _frozen(v)) for k, v in value.items()))
    return tuple(map(_frozen, value))
