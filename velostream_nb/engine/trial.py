"""Trials: rows of awkward values, over which what is computed here must be what DuckDB computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import array_of, number_type, texts, validity_of, values_of, whole
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Mask, Values, Wide

_ROWS = 211
_DOUBLES = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 0.005, 2.675, -0.125, 100.0, 99.995, 1e4, -123456.785, 1e6, 500000.01),
    *(2.0**52 + 0.5, 2.0**53, 1e16, 1e300, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
]
_WHOLE = [
    *(0, 1, -1, 2, 3, 7, 10, 20, 70, 100, -128, 127, 200, 255, 9_999, 10_000, -32_768, 32_767, 65_535, 700_000),
    *(1_000_000, 123_456_789, 2**31 - 1, -(2**31), 2**32 - 1, 10**12 + 7, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
    *(10**30, -(10**30), 2**127 - 1),
]
_WORDS = ["", "a", "b c", "Ä"]
_SMALL = 10**6
"""Times are closer to 1970, so that they can be added to; decimals likewise where nothing is known of them."""


def trials(schema: pa.Schema, reach: Mapping[str, int], words: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Rows with columns as far from 0 as they may be; then, for every column that can be further away, such ones.

    Of types that nothing here computes with, all values are NULL.

    Args:
        reach: how far that is, where it matters.
        words: texts that should be among the values.
    """
    within = {f.name: _column(f.type, place, reach.get(f.name), words) for place, f in enumerate(schema)}
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    yield pa.Table.from_arrays(list(within.values()), schema=nullable)
    for place, field in enumerate(schema):
        if field.name in reach and _range_of(field.type)[1] > reach[field.name]:
            changed = within | {field.name: _column(field.type, place, None)}
            yield pa.Table.from_arrays(list(changed.values()), schema=nullable)


def _column(dtype: pa.DataType, place: int, reach: int | None, words: Sequence[str] = ()) -> pa.Array:
    picked = _mixed(place)
    valid = _mixed(place + len(_WHOLE)) % 11 > 0
    kind = number_type(dtype)
    if pa.types.is_string(dtype):
        every = pa.concat_arrays([texts([*_WORDS, *words]), pa.nulls(1, pa.string())])
        return every.take(vector(picked % len(every)))
    if kind is not None and kind.kind == "f":
        with np.errstate(over="ignore"):
            doubles = np.array(_DOUBLES, dtype=np.float64).astype(kind)
        return array_of(Values(doubles[picked % len(doubles)], valid), dtype)
    if kind is None and dtype != HUGEINT:
        return pa.nulls(_ROWS, dtype)
    numbers = _wholes(dtype, reach)
    chosen = [numbers[at] for at in (picked % len(numbers)).tolist()]
    if dtype == HUGEINT:
        low = np.array([number & 2**64 - 1 for number in chosen], dtype=np.uint64)
        return Wide(np.array([number >> 64 for number in chosen], dtype=np.int64), low, valid).array()
    return array_of(Values(np.array(chosen, dtype=kind), valid), dtype)


def _mixed(place: int) -> Int64s:
    """A number a row that looks random (splitmix64), another one for every column."""
    found = (np.arange(_ROWS, dtype=np.uint64) + np.uint64(place * _ROWS + 1)) * np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ found >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    return (found >> np.uint64(33)).astype(np.int64)


def _wholes(dtype: pa.DataType, reach: int | None) -> list[int]:
    """Numbers of a type, up to `reach` from 0."""
    low, high = _range_of(dtype)
    if reach is not None:
        low, high = max(low, -reach), min(high, reach)
        edges = [high, high - 1, high // 2, high // 3, high * 7 // 10, low, low + 1, low // 2]
    else:
        edges = [low, high]
    return [number for number in (*_WHOLE, *edges) if low <= number <= high]


def _range_of(dtype: pa.DataType) -> tuple[int, int]:
    if dtype == HUGEINT:
        return -(2**127), 2**127 - 1
    if pa.types.is_decimal(dtype):
        return 1 - 10**dtype.precision, 10**dtype.precision - 1
    if not pa.types.is_integer(dtype):
        return -_SMALL, _SMALL
    bounds = np.iinfo(dtype.to_pandas_dtype())
    return int(bounds.min), int(bounds.max)


def same(one: pa.Table, other: pa.Table) -> bool:
    """To the last bit; of NaNs only that they are."""
    return one.num_rows == other.num_rows and all(map(_same, one.columns, other.columns))


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    first, second = whole(one), whole(other)
    if not pa.types.is_floating(first.type) or number_type(first.type) is None or first.type != second.type:
        return bool(first.equals(second))
    valid = _valid(first)
    if not np.array_equal(valid, _valid(second)):
        return False
    left, right = (values_of(array).numbers[valid] for array in (first, second))
    bits: npt.DTypeLike = np.dtype(f"i{left.dtype.itemsize}")
    return bool(((left.view(bits) == right.view(bits)) | (np.isnan(left) & np.isnan(right))).all())


def _valid(array: pa.Array) -> Mask:
    valid = validity_of(array).valid
    return np.ones(len(array), dtype=np.bool_) if valid is None else valid
