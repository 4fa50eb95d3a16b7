"""Rows by key: what is kept of each key, found and replaced at the cost of its rows, however many keys there are.

Rows stand in chunks. Those of one key stand together; when they are replaced, the new ones go behind all others, and
what they were is dropped when chunks are merged.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.delta import Int64s, int64s
from velostream_nb.engine.numbering import with_room

_LEAST_ROWS = 1_024
"""Chunks of less rows are merged with what comes next."""


class RowsByKey:
    """Rows of keys that are numbered from 0 on.

    Attributes:
        rows: how many are kept.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self.rows = 0
        self._chunks: list[_Chunk] = []
        self._start = np.empty(0, dtype=np.int64)
        self._size = np.empty(0, dtype=np.int64)
        self._end = 0
        """The place behind the last chunk: a chunk's places are [its start, its start and as many as it has rows)."""

    def of(self, keys: Int64s) -> tuple[pa.Table, Int64s]:
        """(the rows of different keys, the key of each)."""
        known = keys[keys < len(self._size)]
        known = known[self._size[known] > 0]
        known = known[np.argsort(self._start[known])]
        sizes = self._size[known]
        places = ranges(self._start[known], sizes)
        return self._at(places), np.repeat(known, sizes)

    def _at(self, places: Int64s) -> pa.Table:
        """The rows at places, which ascend."""
        found = []
        for chunk in self._chunks:
            low, high = np.searchsorted(places, (chunk.start, chunk.start + chunk.rows.num_rows))
            if low < high:
                found.append(chunk.rows.take(vector(places[low:high] - chunk.start)))
        return pa.concat_tables(found) if found else no_rows(self.schema)

    def replace(self, keys: Int64s, rows: pa.Table, owners: Int64s) -> None:
        """Let different keys have these rows instead of their own.

        Args:
            owners: the key of each row.
        """
        if len(keys):
            self._start = with_room(self._start, int(keys.max()) + 1, 0)
            self._size = with_room(self._size, int(keys.max()) + 1, 0)
            self.rows -= int(self._size[keys].sum())
            self._size[keys] = 0
        if not rows.num_rows:
            return
        if (owners[1:] < owners[:-1]).any():
            order = np.argsort(owners, kind="stable")
            rows, owners = rows.take(vector(order)), owners[order]
        firsts = np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))
        self._start[owners[firsts]] = self._end + firsts
        self._size[owners[firsts]] = np.diff(firsts, append=len(owners))
        self._chunks.append(_Chunk(rows, owners, self._end))
        self._end += len(owners)
        self.rows += len(owners)
        self._merge()

    def _merge(self) -> None:
        """Keep chunks few: each more than twice as long as the next one; and most of their rows in use."""
        chunks = self._chunks
        while len(chunks) > 1 and chunks[-2].rows.num_rows <= max(2 * chunks[-1].rows.num_rows, _LEAST_ROWS):
            self._join(len(chunks) - 2)
        if sum(c.rows.num_rows for c in chunks) > 2 * self.rows + _LEAST_ROWS:
            self._join(0)

    def _join(self, first: int) -> None:
        """Make one chunk of those from `first` on, of the rows in use."""
        some = self._chunks[first:]
        live = [c.start + np.flatnonzero(self._in_use(c)) for c in some]
        owners = np.concatenate([c.owners[places - c.start] for c, places in zip(some, live, strict=True)])
        parts = [c.rows.take(vector(places - c.start)) for c, places in zip(some, live, strict=True)]
        start = some[0].start
        del self._chunks[first:]
        self._end = start + len(owners)
        if len(owners):
            firsts = np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))
            self._start[owners[firsts]] = start + firsts
            self._chunks.append(_Chunk(pa.concat_tables(parts).combine_chunks(), owners, start))

    def _in_use(self, chunk: _Chunk) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        places = chunk.start + np.arange(len(chunk.owners))
        start = self._start[chunk.owners]
        in_use: np.ndarray[tuple[int], np.dtype[np.bool_]] = (places >= start) & (
            places < start + self._size[chunk.owners]
        )
        return in_use

    def forget(self, column: str, before: int) -> None:
        """Drop the rows of which an int64 column says less."""
        rows, owners = self.every()
        stay = int64s(rows, column) >= before
        if not stay.all():
            self.clear()
            self.replace(np.unique(owners[stay]), rows.filter(vector(stay)), owners[stay])

    def renumber(self, numbers: Int64s) -> None:
        """Let keys have other numbers: `numbers` has the new ones by the old ones."""
        rows, owners = self.every()
        self.clear()
        self.replace(np.unique(numbers[owners]), rows, numbers[owners])

    def every(self) -> tuple[pa.Table, Int64s]:
        """(all rows, the key of each)."""
        return self.of(np.arange(len(self._size)))

    @property
    def nbytes(self) -> int:
        held = sum(c.rows.num_rows for c in self._chunks)
        return sum(c.rows.nbytes + c.owners.nbytes for c in self._chunks) * self.rows // held if held else 0


class _Chunk:
    """Some rows with their keys.

    Attributes:
        start: the place of the first row.
    """

    def __init__(self, rows: pa.Table, owners: Int64s, start: int) -> None:
        self.rows = rows.combine_chunks()
        self.owners = owners
        self.start = start
