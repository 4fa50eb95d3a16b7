"""Numbers for keys of one column or several, given as they come and found again for whole batches at once.

What is kept by a key lies in arrays, at its number. The keys of a batch are looked up together: hashed, compared with
the key that has their place in a table, and once more at the next place where that is another one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import number_type, whole
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.shared import Column
from velostream_nb.engine.words import Word, Words, is_text

_FACTORS = np.random.default_rng(1).integers(1 << 62, 1 << 64, size=64, dtype=np.uint64) | np.uint64(1)
_ROOM = 4
"""So many places a key, at least: seldom are two keys' the same."""
_LEAST_PLACES, _SPARSE_PLACES = 1 << 9, 1 << 14
"""Of few keys, each has a place of its own: a batch without a second look costs half as much."""
_FIRST_TRY = 1 << 10
"""So many new rows are searched for distinct keys at first: a batch mostly has many rows of few keys."""
_CHUNKS = 64


def can_number(dtype: pa.DataType) -> bool:
    """Are there numbers for values of this type?"""
    types = pa.types
    return types.is_boolean(dtype) or types.is_decimal128(dtype) or is_text(dtype) or number_type(dtype) is not None


class Parts:
    """The rows of a batch by key.

    Args:
        numbers: of the rows' keys.
        known: how many numbers there are.

    Attributes:
        order: the rows key by key, each key's in the order given.
        starts, sizes: of the keys, where theirs begin in `order`, and how many there are.
        slots: of the keys, their numbers, which ascend.
    """

    __slots__ = ("order", "sizes", "slots", "starts")

    def __init__(self, numbers: Int64s, known: int) -> None:
        rows = len(numbers)
        if known == 1:
            self.order = np.arange(rows)
            self.starts = self.slots = np.zeros(1, dtype=np.int64)
            self.sizes = np.full(1, rows)
            return
        # numpy sorts 8 and 16 bits by radix
        narrowed = numbers.astype(np.uint8 if known <= 1 << 8 else np.uint16 if known <= 1 << 16 else np.int64)
        self.order = narrowed.argsort(kind="stable")
        ordered = narrowed.take(self.order)
        first = np.empty(rows, dtype=np.bool_)
        first[0] = True
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        self.starts = first.nonzero()[0]
        self.slots = ordered.take(self.starts).astype(np.int64)
        self.sizes = np.empty_like(self.starts)
        np.subtract(self.starts[1:], self.starts[:-1], out=self.sizes[:-1])
        self.sizes[-1] = rows - self.starts[-1]


class KeyNumbering:
    """0, 1, 2, … for keys, in the order in which they came; NULL equals NULL.

    Args:
        fields: the columns of the key, of types that `can_number` knows; () for a single key.
    """

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self._fields = tuple(fields)
        self._schema = pa.schema([pa.field(str(i), field.type) for i, field in enumerate(fields)])
        self.clear()

    def clear(self) -> None:
        """Forget all of them."""
        self._words = Words(self._schema.types)
        self._known: list[Word | None] = [None] * self._words.count
        self._keys: list[pa.Table] = []
        self._count = 0
        self._room = 0
        self._table = np.empty(0, dtype=np.int64)
        self._lay_out(_LEAST_PLACES)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and of what they are found by, about: there is room for half as many again."""
        words = sum(word is not None for word in self._known)
        return 12 * self._count * (_ROOM + words) + sum(int(keys.nbytes) for keys in self._keys)

    def number(self, columns: Sequence[Column], rows: int) -> Int64s:
        """The number of each row's key; new keys get one."""
        if not rows:
            return np.empty(0, dtype=np.int64)
        if not self._fields:
            self._count = 1
            return np.zeros(rows, dtype=np.int64)
        words = self._words.of(columns)
        found = self._find(words)
        unknown = (found < 0).nonzero()[0]
        tried = _FIRST_TRY
        while len(unknown):
            some, unknown = unknown[:tried], unknown[tried:]
            known = self._count
            found[some] = self._add(columns, words, some)
            if len(unknown):
                again = found[unknown] = self._find(_some(words, unknown))
                unknown = unknown[again < 0]
            tried = rows if 2 * (self._count - known) > len(some) else 2 * tried
        return found

    def parts(self, columns: Sequence[Column], rows: int) -> Parts:
        """The rows (one at least) by key; new keys get a number."""
        numbers = self.number(columns, rows)
        return Parts(numbers, self._count)

    def arrays(self, numbers: Int64s) -> list[pa.Array]:
        """The key columns of some numbers, such as once for each row."""
        if not self._keys:
            return [pa.nulls(0, dtype) for dtype in self._schema.types]
        keys = pa.concat_tables(self._keys).combine_chunks()
        self._keys = [keys]
        return [whole(column) for column in keys.take(vector(numbers)).columns]

    def keep(self, numbers: Int64s) -> Int64s:
        """Forget all the others; these are numbered anew: their new numbers."""
        kept = self.arrays(numbers)
        self.clear()
        return self.number(kept, len(numbers))

    # -- the table --------------------------------------------------------------------------------------------------

    def _home(self, words: Sequence[Word | None]) -> Int64s:
        """The place in the table where the search for a key begins."""
        mixed: Word | None = None
        for number, word in enumerate(words):
            if word is not None:
                mine = word * _FACTORS[number % len(_FACTORS)]
                mixed = mine if mixed is None else np.add(mixed, mine, out=mixed)
        assert mixed is not None
        mixed >>= self._shift
        return mixed.view(np.int64)

    def _find(self, words: Sequence[Word | None]) -> Int64s:
        """The numbers of keys; -1 of those that have none."""
        place = self._home(words)
        found = self._table.take(place)
        right = self._are(words, found)
        if np.count_nonzero(right) == len(right):
            return found
        search = (~right & (found >= 0)).nonzero()[0]
        while len(search):
            place[search] += 1
            place[search] &= len(self._table) - 1
            there = found[search] = self._table.take(place[search])
            right = self._are(_some(words, search), there)
            search = search[~right & (there >= 0)]
        return found

    def _are(self, words: Sequence[Word | None], numbers: Int64s) -> Mask:
        """Which keys are those of the numbers; of -1 none is."""
        same: Mask = numbers >= 0
        for word, known, implied in zip(words, self._known, self._words.implied, strict=True):
            if known is None:
                if word is not None:
                    same &= word == 0
            elif word is not None:
                same &= known.take(numbers) == word
            elif not implied:
                same &= known.take(numbers) == 0
        return same

    def _add(self, columns: Sequence[Column], words: Sequence[Word | None], rows: Int64s) -> Int64s:
        """Give numbers to the keys of these rows, of which none has one: the numbers of the rows."""
        first, own = self._count, _some(words, rows)
        self._make_room(first + len(rows))
        self._know(first, own)  # as if all were different
        numbers, firsts = self._put(first, own)
        self._know(first, _some(own, firsts))
        self._count = first + len(firsts)
        arrays = [whole(column).take(vector(rows[firsts])) for column in columns]
        self._keys.append(pa.Table.from_arrays(arrays, schema=self._schema))
        if len(self._keys) > _CHUNKS:
            self._keys = [pa.concat_tables(self._keys).combine_chunks()]
        return numbers

    def _know(self, first: int, words: Sequence[Word | None]) -> None:
        """These are the words of the numbers from `first` on."""
        count = max(len(word) for word in words if word is not None)
        for place, word in enumerate(words):
            if word is not None and self._known[place] is None:
                self._known[place] = np.zeros(self._room, dtype=np.uint64)
            known = self._known[place]
            if known is not None:
                known[first : first + count] = 0 if word is None else word

    def _put(self, first: int, words: Sequence[Word | None]) -> tuple[Int64s, Int64s]:
        """Put keys into the table: (the number of each, from `first` on; which are the first of their kind).

        Those that find a free place take it with numbers of their own. Of equal ones the first does, the others find
        it there; what numbers are left over is closed up at last.
        """
        place = self._home(words)
        rest = np.arange(len(place))
        found = np.empty(len(place), dtype=np.int64)
        while len(rest):
            at = place[rest]
            free = rest[self._table.take(at) < 0][::-1]  # of several that are written to one place, the last one stays
            self._table[place[free]] = first + free
            there = self._table.take(at)
            same = self._are(_some(words, rest), there)
            found[rest[same]] = there[same]
            rest = rest[~same]
            place[rest] = (place[rest] + 1) & (len(self._table) - 1)
        firsts = (found == np.arange(first, first + len(found))).nonzero()[0]
        numbers = np.empty(len(found), dtype=np.int64)
        numbers[firsts] = np.arange(first, first + len(firsts))
        self._table[place[firsts]] = numbers[firsts]
        return numbers.take(found - first), firsts

    def _make_room(self, keys: int) -> None:
        """For so many keys."""
        if keys > self._room:
            self._room = max(64, 2 * keys)
            self._known = [None if known is None else np.resize(known, self._room) for known in self._known]
        if max(_ROOM * keys, min(keys * keys // 2, _SPARSE_PLACES)) > len(self._table):
            self._lay_out(max(2 * _ROOM * keys, min(keys * keys, _SPARSE_PLACES)))

    def _lay_out(self, places: int) -> None:
        """A table of so many places at least, for all that is known."""
        bits = max(places - 1, 1).bit_length()
        self._shift = np.uint64(64 - bits)
        self._table = np.full(1 << bits, -1)
        if not self._count:
            return
        numbers = np.arange(self._count)
        place = self._home([None if known is None else known[: self._count] for known in self._known])
        while len(numbers):
            free = self._table.take(place) < 0
            self._table[place[free]] = numbers[free]
            left = self._table.take(place) != numbers
            numbers = numbers[left]
            place = (place[left] + 1) & (len(self._table) - 1)


def _some(words: Sequence[Word | None], rows: Int64s) -> list[Word | None]:
    return [None if word is None else word[rows] for word in words]
