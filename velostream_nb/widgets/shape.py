"""From the shape of a result to the picture of it, without a line of Python from the reader."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.errors import SchemaError, did_you_mean
from velostream_nb.widgets.columns import find, is_number, is_text

_TIMES = ("timestamp", "event_time", "ts", "window_end", "detection_time", "window_start", "time")
_VALUES = ("close", "price", "avg_price", "value", "vwap", "last", "total", "amount", "count")
_SERIES = ("symbol", "ticker", "instrument", "trader_id", "key", "name", "exchange", "side")
_MESSAGES = ("message", "msg", "alert_type", "reason", "description")
_EPOCH_MS = (10**11, 10**14)


@dataclass(frozen=True, slots=True)
class Shape:
    """What to draw.

    Attributes:
        kind: 'lines' | 'alerts' | 'tiles' | 'table'.
        x: the time column of lines, else None.
        y: the value columns of lines and tiles, one or two for lines.
        by: the column that tells series apart, None for one series.
    """

    kind: str
    x: str | None = None
    y: tuple[str, ...] = ()
    by: str | None = None


def infer_shape(
    rows: pa.Table, *, total: int | None = None, x: str | None = None, y: str | None = None, by: str | None = None
) -> Shape | None:
    """The picture for these rows; None while there are none to judge by.

    Time + value (+ symbol) gives lines, severity or a message gives alerts, one row without time gives tiles,
    anything else a table. Named columns overrule.

    Args:
        total: records ever appended to the topic; 1 makes tiles of a row without time.

    Raises:
        SchemaError: a named column does not exist, or `y` is no number.
    """
    if rows.num_columns == 0 or rows.num_rows == 0:
        return None
    x, y, by = (_named(rows, name) for name in (x, y, by))
    if y is not None and not is_number(rows.schema.field(y).type):
        raise SchemaError(f"column {y!r} is no number: {rows.schema.field(y).type}", hint="name a numeric column as y")
    time = x or _time_column(rows)
    if y is None and _looks_like_alerts(rows):
        return Shape("alerts", x=time)
    values = _measures(rows, exclude={time, by})
    if time is not None and (y is not None or values):
        series = by or _series_column(rows)
        return Shape("lines", x=time, y=(y,) if y is not None else (_best_value(rows, values),), by=series)
    if time is None and (total or rows.num_rows) == 1 and values:
        return Shape("tiles", y=tuple(values))
    return Shape("table")


def _named(rows: pa.Table, name: str | None) -> str | None:
    if name is None:
        return None
    found = find(rows, name)
    if found is None:
        raise SchemaError(f"no column {name!r} to chart", hint=did_you_mean(name, rows.column_names))
    return found


def _time_column(rows: pa.Table) -> str | None:
    for name in _TIMES:
        found = find(rows, name)
        if found is not None and _is_time(rows, found):
            return found
    return next((str(f.name) for f in rows.schema if pa.types.is_timestamp(f.type)), None)


def _is_time(rows: pa.Table, name: str) -> bool:
    kind = rows.schema.field(name).type
    if pa.types.is_timestamp(kind):
        return True
    if not pa.types.is_integer(kind):
        return False
    largest = pc.max(rows.column(name)).as_py()
    # 'time' may also be a duration: only numbers of the size of epoch milliseconds to microseconds count
    return largest is not None and largest > _EPOCH_MS[0]


def _looks_like_alerts(rows: pa.Table) -> bool:
    words = [name for name in _MESSAGES if (found := find(rows, name)) and is_text(rows.schema.field(found).type)]
    level = find(rows, "severity", "level")
    return "alert_type" in words or (level is not None and bool(words))


def _measures(rows: pa.Table, *, exclude: set[str | None]) -> list[str]:
    """Numeric columns that are not times and not identifiers."""
    return [
        str(f.name)
        for f in rows.schema
        if is_number(f.type)
        and f.name not in exclude
        and not (str(f.name).lower() in _TIMES and _is_time(rows, f.name))
        and str(f.name).lower() != "id"
        and not str(f.name).lower().endswith("_id")
    ]


def _best_value(rows: pa.Table, values: list[str]) -> str:
    known = find(rows.select(values), *_VALUES)
    if known is not None:
        return known
    floats = [name for name in values if not pa.types.is_integer(rows.schema.field(name).type)]
    return (floats or values)[0]


def _series_column(rows: pa.Table) -> str | None:
    found = find(rows, *_SERIES)
    if found is not None:
        return found
    return next((str(f.name) for f in rows.schema if is_text(f.type)), None)
