"""Which values of a column are equal, for every type, by DuckDB's rules: what keys of any type are compared by.

NULL equals NULL, every NaN is one, -0.0 is 0.0, and a month is 30 days of 24 hours.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.vectors import integers_in, valid_in

Int64s = npt.NDArray[np.int64]

_INTERVAL = np.dtype([("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)])
_DAYS_A_MONTH = 30
_US_A_DAY = 86_400_000_000
_MOST = 1 << 62


def identity(column: pa.Array | pa.ChunkedArray) -> tuple[Int64s, int]:
    """(a number a row, how many there are at most): numbers are equal exactly where the values are."""
    array = _whole(column)
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return identity(array.storage)
    if pa.types.is_dictionary(kind):
        return identity(array.dictionary_decode())
    if pa.types.is_struct(kind):
        valid = valid_in(array).astype(np.int64)
        return combined([(valid, 2), *map(identity, array.flatten())], len(array))
    if pa.types.is_map(kind):
        return _of_lists(_as_lists(array))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _of_lists(array)
    if pa.types.is_floating(kind):
        zeroed = pc.add(array, pa.scalar(0, kind))
        array = pc.if_else(pc.is_nan(array), pa.scalar(float("nan"), kind), zeroed)
    elif pa.types.is_interval(kind):
        array = _normal_intervals(array)
    return _encoded(array)


def combined(parts: Iterable[tuple[Int64s, int]], rows: int) -> tuple[Int64s, int]:
    """One number for several: equal exactly where all of them are."""
    codes: Int64s | None = None
    most = 1
    for own, size in parts:
        if codes is None:
            codes, most = own, max(size, 1)
            continue
        if most > _MOST // max(size, 1):
            distinct, codes = np.unique(codes, return_inverse=True)
            codes, most = codes.astype(np.int64), len(distinct) + 1
        codes = codes * size + own
        most *= max(size, 1)
    return (np.zeros(rows, dtype=np.int64) if codes is None else codes), most


def _encoded(array: pa.Array) -> tuple[Int64s, int]:
    encoded = array.dictionary_encode("encode")
    return integers_in(encoded.indices), len(encoded.dictionary) + 1


def _of_lists(array: pa.Array) -> tuple[Int64s, int]:
    """Lists by the numbers of their items, as bytes."""
    items, _ = identity(pc.list_flatten(array))
    lengths = integers_in(pc.fill_null(pc.list_value_length(array), 0))
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    data = pa.py_buffer(np.ascontiguousarray(items))
    texts = pa.Array.from_buffers(pa.large_binary(), len(array), [None, pa.py_buffer(offsets * 8), data])
    if array.null_count:
        texts = pc.if_else(array.is_valid(), texts, None)
    return _encoded(texts)


def _as_lists(array: pa.MapArray) -> pa.Array:
    """A map as the list of its entries, which is what DuckDB compares."""
    # a map's keys and items are those of the whole buffer, whatever slice of it the array is
    whole = pa.concat_arrays([array.slice(0, 0), array]) if array.offset else array
    entries = pa.StructArray.from_arrays([whole.keys, whole.items], names=["key", "value"])
    lists = pa.ListArray.from_arrays(whole.offsets, entries)
    return pc.if_else(array.is_valid(), lists, None) if array.null_count else lists


def _normal_intervals(array: pa.Array) -> pa.Array:
    """Whole days and the microseconds of the rest: equal exactly where DuckDB finds the intervals equal."""
    count = array.offset + len(array)
    given = np.frombuffer(array.buffers()[1], dtype=_INTERVAL, count=count)[array.offset :]
    days, us = np.divmod(given["nanoseconds"] // 1_000, _US_A_DAY)
    normal = np.empty((len(array), 2), dtype=np.int64)
    normal[:, 0] = given["months"].astype(np.int64) * _DAYS_A_MONTH + given["days"] + days
    normal[:, 1] = us
    made = pa.Array.from_buffers(pa.binary(16), len(array), [None, pa.py_buffer(normal)])
    return pc.if_else(array.is_valid(), made, None) if array.null_count else made


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
