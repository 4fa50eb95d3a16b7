"""Slots: a number for every key that was ever seen, so that what is kept of it can be found without a search.

The keys of a batch are looked up together: hashed, compared with the key that has their place in a table, and once more
at the next place where that is another one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.engine.arrays import whole
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.words import Word, Words

_FACTORS = np.random.default_rng(1).integers(1 << 62, 1 << 64, size=64, dtype=np.uint64) | np.uint64(1)
_PLACES = 1 << 12
_ROOM = 4
"""So many places a key, at least: seldom are two keys' the same."""
_FIRST_TRY = 256
"""So many new rows are searched for distinct keys at first: a batch mostly has many rows of few keys."""
_CHUNKS = 64


class Parts:
    """The rows of a batch by key.

    Args:
        slots: of the rows.
        known: how many slots there are.

    Attributes:
        order: the rows key by key, each key's in the order given.
        starts, sizes: of the keys, where theirs begin in `order`, and how many there are.
        slots: of the keys.
    """

    __slots__ = ("order", "sizes", "slots", "starts")

    def __init__(self, slots: Int64s, known: int) -> None:
        rows = len(slots)
        if known == 1:
            self.order = np.arange(rows)
            self.starts = self.slots = np.zeros(1, dtype=np.int64)
            self.sizes = np.full(1, rows)
            return
        # numpy sorts 8 and 16 bits by radix
        narrowed = slots.astype(np.uint8 if known <= 1 << 8 else np.uint16 if known <= 1 << 16 else np.int64)
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


class Slots:
    """Numbers from 0 on, one a key, in the order in which keys came.

    Args:
        fields: the columns of the key, of types that `words.can_number` knows; () for a single key.
    """

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self._fields = tuple(fields)
        self._names = [field.name for field in fields]
        self._clear()

    def _clear(self) -> None:
        self._words = Words([field.type for field in self._fields])
        self._known: list[Word | None] = [None] * self._words.count
        self._keys: list[pa.Table] = []
        self._count = 0
        self._room = 0
        self._table = np.empty(0, dtype=np.int64)
        self._lay_out(_PLACES)

    def __len__(self) -> int:
        return self._count

    def parts(self, rows: pa.Table) -> Parts:
        """The rows by key; keys that were never seen get slots. There is a row at least."""
        slots = self.of(rows)
        return Parts(slots, self._count)

    def of(self, rows: pa.Table) -> Int64s:
        """The slot of every row; keys that were never seen get one. There is a row at least."""
        if not self._fields:
            self._count = 1
            return np.zeros(rows.num_rows, dtype=np.int64)
        words = self._words.of([rows.column(name) for name in self._names])
        found = self._find(words)
        tried = _FIRST_TRY
        while found.min() < 0:
            unknown = (found < 0).nonzero()[0]
            self._add(rows, words, unknown[:tried])
            left = [None if word is None else word[unknown] for word in words]
            found[unknown] = self._find(left)
            tried *= 2
        return found

    def keep(self, slots: Int64s) -> None:
        """Forget the others; these are numbered anew, in this order."""
        if not self._fields:
            self._count = len(slots)
            return
        kept = self.columns(slots)
        self._clear()
        if len(slots):
            self.of(pa.Table.from_arrays(kept, names=self._names))

    def columns(self, slots: Int64s) -> list[pa.Array]:
        """The key columns of some slots, such as once for each row."""
        if not self._keys:
            return [pa.nulls(0, field.type) for field in self._fields]
        keys = pa.concat_tables(self._keys).combine_chunks()
        self._keys = [keys]
        return [whole(column) for column in keys.take(pa.array(slots)).columns]

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and of what they are found by."""
        words = sum(word.nbytes for word in self._known if word is not None)
        return int(self._table.nbytes + words + sum(keys.nbytes for keys in self._keys))

    # -- the table --------------------------------------------------------------------------------------------------

    def _home(self, words: Sequence[Word | None]) -> Int64s:
        """The place in the table where the search for a key begins."""
        mixed: Word | None = None
        for number, word in enumerate(words):
            if word is not None:
                mine = word * _FACTORS[number % len(_FACTORS)]
                mixed = mine if mixed is None else mixed + mine
        assert mixed is not None
        mixed >>= self._shift
        return mixed.view(np.int64)

    def _find(self, words: Sequence[Word | None]) -> Int64s:
        """The slots of keys; -1 of those that have none."""
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
            right = self._are([None if word is None else word[search] for word in words], there)
            search = search[~right & (there >= 0)]
        return found

    def _are(self, words: Sequence[Word | None], slots: Int64s) -> Mask:
        """Which keys are those of the slots; of slot -1 none is."""
        same: Mask = slots >= 0
        for word, known, implied in zip(words, self._known, self._words.implied, strict=True):
            if known is None:
                if word is not None:
                    same &= word == 0
            elif word is not None:
                same &= known.take(slots) == word
            elif not implied:
                same &= known.take(slots) == 0
        return same

    def _add(self, rows: pa.Table, words: Sequence[Word | None], places: Int64s) -> None:
        """Give slots to the keys of these rows, of which none has one."""
        some = [word[places].tolist() for word in words if word is not None]
        firsts: dict[tuple[int, ...], int] = {}
        for place, key in zip(places.tolist(), zip(*some, strict=True), strict=True):
            firsts.setdefault(key, place)
        added = np.fromiter(firsts.values(), dtype=np.int64, count=len(firsts))
        end = self._count + len(added)
        if end > self._room:
            self._room = max(64, 2 * end)
            self._known = [None if known is None else np.resize(known, self._room) for known in self._known]
        for number, word in enumerate(words):
            known = self._known[number]
            if word is not None and known is None:
                known = self._known[number] = np.zeros(self._room, dtype=np.uint64)
            if known is not None:
                known[self._count : end] = 0 if word is None else word[added]
        self._keys.append(rows.select(self._names).take(pa.array(added)))
        if len(self._keys) > _CHUNKS:
            self._keys = [pa.concat_tables(self._keys).combine_chunks()]
        first, self._count = self._count, end
        if end * _ROOM > len(self._table):
            self._lay_out(2 * _ROOM * end)
        else:
            self._insert(first)

    def _lay_out(self, places: int) -> None:
        """A table of so many places at least, for all that is known."""
        bits = max(places - 1, 1).bit_length()
        self._shift = np.uint64(64 - bits)
        self._table = np.full(1 << bits, -1)
        if self._count:
            self._insert(0)

    def _insert(self, first: int) -> None:
        """Put the slots from `first` on into the table."""
        slots = np.arange(first, self._count)
        place = self._home([None if known is None else known[first : self._count] for known in self._known])
        while len(slots):
            free = self._table.take(place) < 0
            self._table[place[free]] = slots[free]
            left = self._table.take(place) != slots
            slots = slots[left]
            place = (place[left] + 1) & (len(self._table) - 1)
