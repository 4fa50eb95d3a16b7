"""Arrow columns as numpy arrays and back, without a copy where there need be none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.core.vectors import valid_in
from velostream_nb.core.vectors import whole as whole
from velostream_nb.engine.frames import Values, Wide, bitmap

Scalar = TypeVar("Scalar", bound=np.generic)
_DIGITS = 18
"""Of a DECIMAL whose values fit into 64 bits."""


@lru_cache(maxsize=256)
def number_type(dtype: pa.DataType) -> np.dtype[np.generic] | None:
    """The numpy type of a column of numbers or times; None for other types.

    A DECIMAL of up to 18 digits is a whole number of its last place.
    """
    types = pa.types
    if types.is_decimal128(dtype):
        return np.dtype(np.int64) if dtype.precision <= _DIGITS else None
    if types.is_date32(dtype) or types.is_time32(dtype):
        return np.dtype(np.int32)
    if types.is_temporal(dtype) and not types.is_interval(dtype):
        return np.dtype(np.int64)
    if types.is_integer(dtype) or types.is_float32(dtype) or types.is_float64(dtype):
        found: np.dtype[np.generic] = np.dtype(dtype.to_pandas_dtype())
        return found
    return None


def folds(kind: str, given: pa.DataType, result: pa.DataType) -> bool:
    """Is SUM, AVG, MIN or MAX of this type, with that result of DuckDB's, one of ours?"""
    if kind in ("min", "max"):
        return bool(result == given) and number_type(given) is not None
    real = pa.types.is_float32(given) or pa.types.is_float64(given)
    whole = pa.types.is_integer(given) and not pa.types.is_uint64(given)
    if pa.types.is_decimal128(given):
        whole = number_type(given) is not None
    sums = pa.float64() if real else pa.decimal128(HUGEINT.precision, scale_of(given))
    return (real or whole) and bool(result == (pa.float64() if kind == "avg" else sums))


def scale_of(dtype: pa.DataType) -> int:
    """Decimal places of a type of numbers."""
    return int(dtype.scale) if pa.types.is_decimal128(dtype) else 0


def validity_of(column: pa.ChunkedArray | pa.Array) -> Values:
    """Which values of a column of any type are NULL; the numbers say nothing."""
    array = whole(column)
    return Values(np.zeros(len(array), dtype=np.int8), _valid(array))


def values_of(column: pa.ChunkedArray | pa.Array) -> Values:
    """The numbers of a column of a type that `number_type` knows."""
    array = whole(column)
    dtype = number_type(array.type)
    assert dtype is not None, array.type
    if not len(array):
        return Values(np.empty(0, dtype=dtype))
    words = 2 if pa.types.is_decimal128(array.type) else 1
    count = (array.offset + len(array)) * words
    data = np.frombuffer(array.buffers()[1], dtype=dtype, count=count)[array.offset * words :: words]
    return Values(data, _valid(array))


def wide_of(column: pa.ChunkedArray | pa.Array) -> Wide:
    """The numbers of a column of HUGEINT."""
    array = whole(column)
    if not len(array):
        return Wide.of(np.empty(0, dtype=np.int64))
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    return Wide(words[1::2], words[::2].view(np.uint64), _valid(array))


def _valid(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    if not array.null_count:
        return None
    return valid_in(array)


def array_of(values: Values, dtype: pa.DataType) -> pa.Array:
    """The inverse of `values_of`, for any DECIMAL besides; the numbers must not change any more."""
    if pa.types.is_decimal128(dtype):
        return Wide.of(values.numbers.astype(np.int64, copy=False), values.valid).array(dtype)
    known = number_type(dtype)
    assert known is not None, dtype
    data = np.ascontiguousarray(values.numbers, dtype=known)
    return pa.Array.from_buffers(dtype, len(data), [bitmap(values.valid), pa.py_buffer(data)])


def texts(values: Sequence[str]) -> pa.Array:
    """A column of VARCHAR. `pa.array` would import pandas, which takes longer than a job does to start."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    return pa.Array.from_buffers(pa.string(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])


def ranges(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``start, start + 1, …`` of every range, one after another."""
    total = int(sizes.sum())
    if not total:
        return np.empty(0, dtype=np.int64)
    ends = np.cumsum(sizes)
    found: npt.NDArray[np.int64] = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return found


def scattered(numbers: npt.NDArray[Scalar], places: npt.NDArray[np.int64]) -> npt.NDArray[Scalar]:
    """``found[places] = numbers``; the places are all of them, each once."""
    found = np.empty_like(numbers)
    found[places] = numbers
    return found
