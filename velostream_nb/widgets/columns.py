"""Reading columns of a frame: tolerant of missing columns, NULLs and types, and never row by row."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

TIME_COLUMNS = ("timestamp", "event_time", "ts", "detection_time", "window_end", "window_start", "time")
"""Columns that carry event time on screen, in order of preference."""

NO_TIME = np.iinfo(np.int64).min
"""Stands in an array of times for a NULL."""


def find(table: pa.Table, *names: str) -> str | None:
    """The first of `names` that the table has: exact, then case-insensitive."""
    have = table.column_names
    folded = {name.lower(): name for name in reversed(have)}
    for name in names:
        if name in have:
            return name
        if name.lower() in folded:
            return str(folded[name.lower()])
    return None


def is_number(kind: pa.DataType) -> bool:
    """Integers, floats and decimals; booleans are not measures."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_text(kind: pa.DataType) -> bool:
    """Strings of any layout, dictionary-encoded ones too."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def numbers(table: pa.Table, *names: str) -> Floats:
    """The first column of that name as fresh float64, shape (rows,); NaN for NULL, text or no such column.

    Float64 because bqplot wraps int64 to int32 (a volume of 3e9 would show as negative); exact to 2^53.
    """
    name = find(table, *names)
    if name is None or not is_number(table.schema.field(name).type):
        return np.full(table.num_rows, np.nan)
    values = pc.cast(table.column(name), pa.float64(), safe=False)
    return np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def labels(table: pa.Table, *names: str) -> tuple[Ints, list[str]]:
    """A text column as codes, shape (rows,), and the label of each code; code -1 for NULL or no such column."""
    name = find(table, *names)
    if name is None or table.num_rows == 0:
        return np.full(table.num_rows, -1, dtype=np.int64), []
    column = table.column(name)
    plain = column if is_text(column.type) and not pa.types.is_dictionary(column.type) else column.cast(pa.string())
    encoded = plain.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.array(codes, dtype=np.int64), [str(label) for label in encoded.dictionary.to_pylist()]


def times_us(table: pa.Table, *names: str) -> Ints:
    """Event time as epoch microseconds, shape (rows,); `NO_TIME` for NULL.

    Integers and floats are epoch times whose unit is told by their size (seconds up to nanoseconds), because
    JSON carries epoch milliseconds. Without a usable column every row is `NO_TIME`.
    """
    name = find(table, *(names or TIME_COLUMNS))
    nothing = np.full(table.num_rows, NO_TIME, dtype=np.int64)
    if name is None or table.num_rows == 0:
        return nothing
    column = table.column(name)
    if pa.types.is_timestamp(column.type):
        whole = pc.cast(pc.cast(column, pa.timestamp("us", column.type.tz), safe=False), pa.int64())
        return np.array(pc.fill_null(whole, NO_TIME).to_numpy(zero_copy_only=False), dtype=np.int64)
    if not is_number(column.type):
        return nothing
    return _epoch_us(numbers(table, name), nothing)


def _epoch_us(values: Floats, nothing: Ints) -> Ints:
    known = np.isfinite(values)
    if not known.any():
        return nothing
    size = float(np.median(np.abs(values[known])))
    factor = 1e6 if size < 1e11 else 1e3 if size < 1e14 else 1.0 if size < 1e17 else 1e-3
    nothing[known] = (values[known] * factor).astype(np.int64)
    return nothing


def milliseconds(times: Ints) -> npt.NDArray[np.datetime64]:
    """Epoch microseconds as a fresh naive-UTC ``datetime64[ms]`` array, the form bqplot takes."""
    return np.asarray(times // 1_000, dtype="datetime64[ms]")
