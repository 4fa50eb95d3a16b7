"""Rows as plain values, for JSON and for people; never on the way that records take."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.intervals import iso_interval


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """One dict a row, ready for `json.dumps`.

    Timestamps are epoch milliseconds, as in records. What JSON has no word for is null (NaN, infinity), a number
    (decimals; text where that would lose digits), hexadecimal text (bytes) or ISO text (dates, times, intervals).
    """
    columns = [_whole_ms(column) for column in table.columns]
    plain = pa.table(columns, names=[str(i) for i in range(len(columns))])  # names may repeat in a query's result
    names = table.column_names
    return [{names[int(i)]: _plain(value) for i, value in row.items()} for row in plain.to_pylist()]


def _whole_ms(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(column.type):
        return column
    return pc.cast(pc.cast(column, pa.timestamp("ms", column.type.tz), safe=False), pa.int64())


def _plain(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value / timedelta(milliseconds=1)
        case Decimal():
            return _number(value)
        case bytes():
            return value.hex()
        case pa.MonthDayNano():
            return iso_interval(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value


def _number(value: Decimal) -> int | float | str:
    """A whole number as int, another one as float where that has all its digits, else its text."""
    if value == value.to_integral_value():
        return int(value)
    real = float(value)
    return real if Decimal(repr(real)) == value else f"{value:f}".rstrip("0")
