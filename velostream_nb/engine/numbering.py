"""Numbers for values and keys, given as they come and found again for whole columns at once.

What is kept by a number lies in an array. A hash table of numpy's own operations finds the numbers of a batch in a few
passes over it, where a Python dict would take a step a row.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import Scalar, array_of, number_type, values_of, whole
from velostream_nb.engine.delta import Int64s, codes_of
from velostream_nb.engine.frames import Values

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = 32
_LEAST_BITS = 8
_FEW = 100
"""So many values are looked up one by one sooner than the different ones of them are found."""
_BYTES = 16 * 8 // 3 + 8


def with_room(array: npt.NDArray[Scalar], size: int, fill: object) -> npt.NDArray[Scalar]:
    """The array, or a longer copy of it that has at least `size` items; the new ones are `fill`."""
    if size <= len(array):
        return array
    longer = np.full(max(size, 2 * len(array)), fill, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


class Numbering:
    """0, 1, 2, … for 64-bit integers, in any order among those that come together.

    Open addressing, at most half full. A batch is looked up at once: rows that meet another integer in their place go
    on together to the next one.
    """

    def __init__(self) -> None:
        self._bits = _LEAST_BITS
        self._keys = np.zeros(1 << self._bits, dtype=np.int64)
        self._numbers = np.full(1 << self._bits, -1, dtype=np.int64)
        self._known = np.zeros(1 << self._bits, dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def known(self) -> Int64s:
        """The integers by their numbers."""
        return self._known[: self._count]

    @property
    def nbytes(self) -> int:
        """What it takes: three eighths of the table's places are in use on average."""
        return self._count * _BYTES

    def number(self, integers: Int64s) -> Int64s:
        """The numbers of integers; those that have none get one."""
        places = self._places(integers)
        found = self._numbers[places]
        rest = np.flatnonzero((found < 0) | (self._keys[places] != integers))
        if not len(rest):
            return found
        if 2 * (self._count + len(rest)) <= len(self._keys):
            self._add(integers[rest], places[rest], found, rest)
            return found
        # there may be less new ones than rows: make no more room than they need
        different, which = np.unique(integers[rest], return_inverse=True)
        if 2 * (self._count + len(different)) > len(self._keys):
            self._grow(self._count + len(different))
        numbers = np.empty(len(different), dtype=np.int64)
        self._add(different, self._places(different), numbers, np.arange(len(different)))
        found[rest] = numbers[which]
        return found

    def reserve(self, integer: int = 0) -> int:
        """A number of its own: nothing finds it, though `known` has an integer for it."""
        self._known = with_room(self._known, self._count + 1, 0)
        self._known[self._count] = integer
        self._count += 1
        return self._count - 1

    def _places(self, integers: Int64s) -> Int64s:
        mixed = integers.view(np.uint64) * _GOLDEN
        mixed ^= mixed >> np.uint64(_HALF)
        mixed *= _GOLDEN
        return (mixed >> np.uint64(64 - self._bits)).view(np.int64)

    def _add(self, integers: Int64s, places: Int64s, found: Int64s, rest: Int64s) -> None:
        """Look further, from `places` on, for integers that are rows `rest` of `found`; who finds room takes it."""
        mask = len(self._keys) - 1
        while len(rest):
            empty = np.flatnonzero(self._numbers[places] < 0)
            if len(empty):
                self._numbers[places[empty]] = empty  # of several, one row stays; the others find it there
                takers = empty[self._numbers[places[empty]] == empty]
                self._take(integers[takers], places[takers])
            same = self._keys[places] == integers
            found[rest[same]] = self._numbers[places[same]]
            others = ~same
            rest, integers, places = rest[others], integers[others], (places[others] + 1) & mask

    def _take(self, integers: Int64s, places: Int64s) -> None:
        end = self._count + len(integers)
        self._known = with_room(self._known, end, 0)
        self._known[self._count : end] = integers
        self._keys[places] = integers
        self._numbers[places] = np.arange(self._count, end)
        self._count = end

    def _grow(self, count: int) -> None:
        used = self._numbers >= 0
        integers, numbers = self._keys[used], self._numbers[used]
        while 1 << self._bits < 4 * count:
            self._bits += 1
        self._keys = np.zeros(1 << self._bits, dtype=np.int64)
        self._numbers = np.full(1 << self._bits, -1, dtype=np.int64)
        mask, places = len(self._keys) - 1, self._places(integers)
        while len(integers):
            empty = self._numbers[places] < 0
            self._numbers[places[empty]] = numbers[empty]
            self._keys[places[empty]] = integers[empty]
            others = self._numbers[places] != numbers
            integers, numbers, places = integers[others], numbers[others], (places[others] + 1) & mask


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
        self._pairs = [Numbering() for _ in self._fields[1:]]
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
            numbers = pairs.number(paired(numbers, own.number(column)))
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


def paired(first: Int64s, second: Int64s) -> Int64s:
    """Two numbers as one integer."""
    both: Int64s = (first << _HALF) | second
    return both


def parts_of(pairs: Int64s) -> tuple[Int64s, Int64s]:
    """The inverse of `paired`."""
    return pairs >> _HALF, pairs & ((1 << _HALF) - 1)


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
        if len(column) <= _FEW:
            return self._of(whole(column))
        codes = codes_of(pa.table([column], names=["key"]), ("key",))
        places, numbers = first_places(codes)
        return self._of(whole(column).take(pa.array(places)))[numbers]

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


def first_places(codes: Int64s) -> tuple[Int64s, Int64s]:
    """(a row of each code, in the order of the codes; which of these each row is). Codes are not negative."""
    most = int(codes.max(initial=-1)) + 1
    if most > 4 * len(codes) + 1024:
        _, places, numbers = np.unique(codes, return_index=True, return_inverse=True)
        return places, numbers
    place_of = np.full(most, -1, dtype=np.int64)
    place_of[codes] = np.arange(len(codes))
    different = np.flatnonzero(place_of >= 0)
    places = place_of[different]
    place_of[different] = np.arange(len(different))
    return places, place_of[codes]
