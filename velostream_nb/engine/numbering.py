"""Numbers for integers and pairs of them, given as they come and found again for whole columns at once.

What is kept by a number lies in an array. A hash table of numpy's own operations finds the numbers of a batch in a few
passes over it, where a Python dict would take a step a row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from velostream_nb.engine.arrays import Scalar
from velostream_nb.engine.delta import Int64s

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_HALF = 32
_LEAST_BITS = 8
_BYTES = 16 * 8 // 3 + 8
_CELLS = 1 << 14
_DENSE = 8
"""A table of pairs has so many places for each pair at most, and `_CELLS` more."""


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

    @classmethod
    def of(cls, known: Int64s) -> Numbering:
        """Different integers by their numbers."""
        found = cls()
        found._known, found._count = known.copy(), len(known)
        found._fill(known, np.arange(len(known)), max(len(known), 1))
        return found

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
        self._fill(self._keys[used], self._numbers[used], count)

    def _fill(self, integers: Int64s, numbers: Int64s, count: int) -> None:
        """A new table with room for so many, of different integers and their numbers."""
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


class PairNumbering:
    """0, 1, 2, … for pairs of small numbers, in any order among those that come together.

    A table has a place for every pair that may be, which is quickest; where too few of them are, a hash table.
    """

    def __init__(self) -> None:
        self._table = np.empty((0, 0), dtype=np.int64)
        self._known = np.empty(0, dtype=np.int64)
        self._count = 0
        self._sparse: Numbering | None = None

    def __len__(self) -> int:
        return self._count if self._sparse is None else len(self._sparse)

    @property
    def known(self) -> Int64s:
        """The pairs by their numbers, as `paired` has them."""
        return self._known[: self._count] if self._sparse is None else self._sparse.known

    @property
    def nbytes(self) -> int:
        return 8 * (self._table.size + self._count) if self._sparse is None else self._sparse.nbytes

    def number(self, first: Int64s, second: Int64s) -> Int64s:
        """The numbers of pairs; those that have none get one."""
        if self._sparse is None:
            self._make_room(int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1)
        if self._sparse is not None:
            return self._sparse.number(paired(first, second))
        found: Int64s = self._table[first, second]
        if len(found) and found.min() < 0:
            self._add(first, second, found)
        return found

    def _add(self, first: Int64s, second: Int64s, found: Int64s) -> None:
        """Give the pairs that were not found their numbers."""
        rest = np.flatnonzero(found < 0)
        first, second = first[rest], second[rest]
        self._table[first, second] = np.arange(len(rest))  # of equal ones, one stays
        takers = np.flatnonzero(self._table[first, second] == np.arange(len(rest)))
        end = self._count + len(takers)
        self._known = with_room(self._known, end, 0)
        self._known[self._count : end] = paired(first[takers], second[takers])
        self._table[first[takers], second[takers]] = np.arange(self._count, end)
        self._count = end
        found[rest] = self._table[first, second]

    def _make_room(self, rows: int, columns: int) -> None:
        """A table of so many rows and columns at least; none at all where it would be nearly empty."""
        height, width = self._table.shape
        if rows <= height and columns <= width:
            return
        height, width = max(height, _doubled(rows)), max(width, _doubled(columns))
        if height * width <= _DENSE * self._count + _CELLS:
            table = np.full((height, width), -1, dtype=np.int64)
            table[: self._table.shape[0], : self._table.shape[1]] = self._table
            self._table = table
            return
        self._sparse = Numbering.of(self.known)


def _doubled(size: int) -> int:
    """The least power of 2 that is no less."""
    return 1 << (size - 1).bit_length()


def paired(first: Int64s, second: Int64s) -> Int64s:
    """Two numbers as one integer."""
    both: Int64s = (first << _HALF) | second
    return both


def parts_of(pairs: Int64s) -> tuple[Int64s, Int64s]:
    """The inverse of `paired`."""
    return pairs >> _HALF, pairs & ((1 << _HALF) - 1)


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
