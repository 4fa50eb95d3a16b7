"""Slots: a number for every partition that was ever seen, so that what is kept of it can be found without a search."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from velostream_nb.engine.arrays import number_type, whole
from velostream_nb.engine.delta import Int64s

_NAN = "nan"
"""Stands for NaN, which Python does not find equal to itself."""


def can_number(dtype: pa.DataType) -> bool:
    """Are values of this type equal in Python exactly where they are in DuckDB?"""
    types = pa.types
    plain = types.is_boolean(dtype) or types.is_string(dtype) or types.is_large_string(dtype) or types.is_binary(dtype)
    return plain or types.is_decimal128(dtype) or number_type(dtype) is not None


class Slots:
    """Numbers from 0 on, one a key, in the order in which keys came.

    Args:
        fields: the columns of the key; () for a single partition.
    """

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self._fields = tuple(fields)
        self._names = [field.name for field in fields]
        self._slots: dict[Hashable, int] = {}
        self._keys: list[tuple[Hashable, ...]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self, rows: pa.Table, places: Int64s) -> list[tuple[Hashable, ...]]:
        """The keys of some rows."""
        if not self._fields:
            return [()] * len(places)
        some = rows.select(self._names).take(pa.array(places))
        return list(zip(*(_hashable(whole(column)) for column in some.columns), strict=True))

    def find(self, keys: Sequence[tuple[Hashable, ...]]) -> Int64s:
        """The slots of keys, -1 for those that have none."""
        get = self._slots.get
        return np.fromiter((get(key, -1) for key in keys), dtype=np.int64, count=len(keys))

    def add(self, keys: Sequence[tuple[Hashable, ...]], slots: Int64s) -> Int64s:
        """The slots, with new ones where `find` has found none."""
        slots = slots.copy()
        for place in np.flatnonzero(slots < 0).tolist():
            slots[place] = self._slots[keys[place]] = len(self._keys)
            self._keys.append(keys[place])
        return slots

    def keep(self, slots: Int64s) -> None:
        """Forget the others; these are numbered anew, in this order."""
        self._keys = [self._keys[slot] for slot in slots.tolist()]
        self._slots = {key: slot for slot, key in enumerate(self._keys)}

    def columns(self, slots: Int64s) -> list[pa.Array]:
        """The key columns of some slots, such as once for each row."""
        listed = slots.tolist()
        return [_column([self._keys[slot][i] for slot in listed], field.type) for i, field in enumerate(self._fields)]


def _hashable(array: pa.Array) -> list[Any]:
    if pa.types.is_floating(array.type):
        return [_NAN if value is not None and value != value else value for value in array.to_pylist()]
    return list(_as_number(array).to_pylist())


def _as_number(array: pa.Array) -> pa.Array:
    """Times as integers: quicker to read, and finer than Python's."""
    if not pa.types.is_temporal(array.type):
        return array
    return array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())


def _column(values: list[Any], dtype: pa.DataType) -> pa.Array:
    if pa.types.is_floating(dtype):
        return pa.array([float(value) if value is not None else None for value in values], dtype)
    if pa.types.is_temporal(dtype):
        return pa.array(values, pa.int32() if dtype.bit_width == 32 else pa.int64()).view(dtype)
    return pa.array(values, dtype)
