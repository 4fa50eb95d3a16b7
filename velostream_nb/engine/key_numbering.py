"""Numbers for keys of several columns of any type that Python compares as DuckDB does, given as they come."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import array_of, number_type, values_of, whole
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Values
from velostream_nb.engine.numbering import Numbering, PairNumbering, parts_of

_FEW = 100
"""So many values are looked up one by one sooner than the different ones of them are found."""


def can_number(dtype: pa.DataType) -> bool:
    """Are there numbers for values of this type?"""
    return number_type(dtype) is not None or _is_plain(dtype)


def _is_plain(dtype: pa.DataType) -> bool:
    """Values that are equal in Python exactly where they are in DuckDB."""
    types = pa.types
    kinds = (types.is_string, types.is_boolean, types.is_binary, types.is_decimal128)
    return any(is_kind(dtype) for is_kind in kinds)


class KeyNumbering:
    """0, 1, 2, … for keys of several columns; NULL equals NULL.

    Args:
        fields: the columns of the key, of types that `can_number` knows; () for a single key.
    """

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self._fields = tuple(fields)
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._columns = [_Integers(f.type) if number_type(f.type) else _Objects(f.type) for f in self._fields]
        self._pairs = [PairNumbering() for _ in self._fields[1:]]
        self._any = False

    def __len__(self) -> int:
        if not self._fields:
            return int(self._any)
        return len(self._pairs[-1] if self._pairs else self._columns[0])

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in (*self._columns, *self._pairs))

    def number(self, columns: Sequence[pa.ChunkedArray], rows: int) -> Int64s:
        """The number of each row's key; new keys get one."""
        if not self._fields:
            self._any = True
            return np.zeros(rows, dtype=np.int64)
        numbers = self._columns[0].number(columns[0])
        for pairs, own, column in zip(self._pairs, self._columns[1:], columns[1:], strict=True):
            numbers = pairs.number(numbers, own.number(column))
        return numbers

    def arrays(self, numbers: Int64s) -> list[pa.Array]:
        """The key columns of some numbers."""
        found = []
        for pairs, own in zip(reversed(self._pairs), reversed(self._columns[1:]), strict=True):
            numbers, last = parts_of(pairs.known[numbers])
            found.append(own.array(last))
        return [*(c.array(numbers) for c in self._columns[:1]), *reversed(found)]

    def keep(self, numbers: Int64s) -> Int64s:
        """Forget all the others; these are numbered anew: their new numbers."""
        arrays = self.arrays(numbers)
        self.clear()
        return self.number([pa.chunked_array([a]) for a in arrays], len(numbers))


class _Integers:
    """Numbers of a column's values that are numbers or times themselves."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._type = dtype
        self._numbering = Numbering()
        self._null = -1

    def __len__(self) -> int:
        return len(self._numbering)

    @property
    def nbytes(self) -> int:
        return self._numbering.nbytes

    def number(self, column: pa.ChunkedArray) -> Int64s:
        values = values_of(column)
        integers = _as_integers(values.numbers)
        if values.valid is None:
            return self._numbering.number(integers)
        found = np.empty(len(integers), dtype=np.int64)
        found[values.valid] = self._numbering.number(integers[values.valid])
        if self._null < 0:
            self._null = self._numbering.reserve()
        found[~values.valid] = self._null
        return found

    def array(self, numbers: Int64s) -> pa.Array:
        integers = self._numbering.known[numbers]
        dtype = number_type(self._type)
        assert dtype is not None
        known = integers.view(np.float64) if dtype.kind == "f" else integers
        valid = None if self._null < 0 else numbers != self._null
        return array_of(Values(known.astype(dtype, copy=False), valid), self._type)


def _as_integers(numbers: npt.NDArray[np.generic]) -> Int64s:
    """Equal exactly where DuckDB finds the numbers equal: every NaN is one, and -0.0 is 0.0."""
    if numbers.dtype.kind == "f":
        zeroed = numbers.astype(np.float64) + 0.0
        return np.where(np.isnan(zeroed), np.nan, zeroed).view(np.int64)
    return numbers.astype(np.int64, copy=False)


class _Objects:
    """Numbers of a column's other values, by a dict of those that differ in a batch."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._type = dtype
        self._numbers: dict[Hashable, int] = {}
        self._bytes = 0
        self._values = pa.nulls(0, dtype)
        self._new: list[pa.Array] = []

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def nbytes(self) -> int:
        return self._bytes + 100 * len(self._numbers)

    def number(self, column: pa.ChunkedArray) -> Int64s:
        array = whole(column)
        if len(array) <= _FEW:
            return self._of(array)
        encoded = array.dictionary_encode("encode")
        numbers: Int64s = self._of(encoded.dictionary)[encoded.indices.to_numpy()]
        return numbers

    def _of(self, array: pa.Array) -> Int64s:
        """The numbers of values, looked up one by one."""
        values, numbers = array.to_pylist(), self._numbers
        known = len(numbers)
        found = [numbers.setdefault(value, len(numbers)) for value in values]
        if len(numbers) > known:
            fresh = {number: place for place, number in enumerate(found) if number >= known}
            self._new.append(array.take(pa.array([fresh[number] for number in range(known, len(numbers))])))
            self._bytes += self._new[-1].nbytes
        return np.array(found, dtype=np.int64)

    def array(self, numbers: Int64s) -> pa.Array:
        if self._new:
            self._values = pa.concat_arrays([self._values, *self._new])
            self._new.clear()
        return self._values.take(pa.array(numbers))
