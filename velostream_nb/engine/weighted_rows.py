"""Rows that come and go, found by the number of their key: a tick costs its rows, and those that are asked for.

Rows stay where they came, in chunks that are merged as they get many; an index in sorted runs says where those of a key
are. A row that goes takes its weight from an equal one; where none is there yet, it stands for itself with a negative
weight, and what is made of the two cancels out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.netting import codes
from velostream_nb.engine.numbering import with_room

_LEAST_ROWS = 1_024
"""Chunks and runs of less rows are merged with what comes next."""

Run = tuple[Int64s, Int64s]
"""(keys that ascend, the place of each one's row)"""


class WeightedRows:
    """Rows of keys that are numbered from 0 on; equal rows have the same key.

    Args:
        schema: of the rows, without weights.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self._chunks: list[pa.Table] = []
        self._runs: list[Run] = []
        self._weights = np.empty(0, dtype=np.int64)
        self._keys = np.empty(0, dtype=np.int64)
        self._count = 0
        self._dead = 0
        """How many rows have no weight any more."""

    @property
    def rows(self) -> int:
        """How many are kept."""
        return self._count - self._dead

    @property
    def nbytes(self) -> int:
        held = sum(chunk.nbytes for chunk in self._chunks) + 32 * self._count
        return held * self.rows // self._count if self._count else 0

    # -- asking -----------------------------------------------------------------------------------------------------

    def pairs(self, keys: Int64s) -> tuple[Int64s, Int64s]:
        """(which of the keys, the place of one of its rows) for every row of each."""
        which, places = [], []
        for known, own in self._runs:
            first = np.searchsorted(known, keys, "left")
            sizes = np.searchsorted(known, keys, "right") - first
            some = np.flatnonzero(sizes)
            which.append(np.repeat(some, sizes[some]))
            places.append(own[ranges(first[some], sizes[some])])
        if not which:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        every, at = np.concatenate(which), np.concatenate(places)
        if self._dead:
            there = self._weights[at] != 0
            every, at = every[there], at[there]
        return every, at

    def weights(self, places: Int64s) -> Int64s:
        """How often each row is there."""
        return self._weights[places]

    def take(self, places: Int64s, columns: list[str]) -> pa.Table:
        """Columns of the rows at places that ascend."""
        found, start = [], 0
        for chunk in self._chunks:
            low, high = np.searchsorted(places, (start, start + chunk.num_rows))
            if low < high:
                found.append(chunk.select(columns).take(vector(places[low:high] - start)))
            start += chunk.num_rows
        return pa.concat_tables(found) if found else no_rows(pa.schema([self.schema.field(c) for c in columns]))

    def every(self) -> tuple[pa.Table, Int64s, Int64s]:
        """(all rows, the weight of each, its key)."""
        places = np.flatnonzero(self._weights[: self._count])
        return self.take(places, self.schema.names), self._weights[places], self._keys[places]

    # -- changing ---------------------------------------------------------------------------------------------------

    def add(self, rows: pa.Table, weights: Int64s, keys: Int64s) -> None:
        """Let rows come (weights above 0) and go."""
        gone = np.flatnonzero(weights < 0)
        if len(gone):
            come = np.flatnonzero(weights > 0)
            self._append(rows.take(vector(come)), weights[come], keys[come])
            left = self._taken_back(rows.take(vector(gone)), weights[gone], keys[gone])
            self._append(rows.take(vector(gone[left])), weights[gone[left]], keys[gone[left]])
            if self._dead > self.rows + _LEAST_ROWS:
                self._compact()
        else:
            self._append(rows, weights, keys)

    def _append(self, rows: pa.Table, weights: Int64s, keys: Int64s) -> None:
        count = rows.num_rows
        if not count:
            return
        end = self._count + count
        self._weights, self._keys = with_room(self._weights, end, 0), with_room(self._keys, end, 0)
        self._weights[self._count : end], self._keys[self._count : end] = weights, keys
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], self._count + order))
        self._chunks.append(rows.cast(self.schema).combine_chunks())
        self._count = end
        self._merge()

    def _merge(self) -> None:
        """Keep chunks and runs few: each more than twice as long as the next one."""
        chunks, runs = self._chunks, self._runs
        while len(chunks) > 1 and chunks[-2].num_rows <= max(2 * chunks[-1].num_rows, _LEAST_ROWS):
            chunks[-2:] = [pa.concat_tables(chunks[-2:]).combine_chunks()]
        while len(runs) > 1 and len(runs[-2][0]) <= max(2 * len(runs[-1][0]), _LEAST_ROWS):
            keys, places = (np.concatenate(both) for both in zip(*runs[-2:], strict=True))
            order = np.argsort(keys, kind="stable")
            runs[-2:] = [(keys[order], places[order])]

    def _taken_back(self, rows: pa.Table, weights: Int64s, keys: Int64s) -> Int64s:
        """Take rows back from equal ones; those of them for which there is none."""
        places = np.sort(self.pairs(np.unique(keys))[1])
        both = pa.concat_tables([self.take(places, self.schema.names), rows.cast(self.schema)])
        equal = codes(both.columns, both.num_rows)
        mine, theirs = equal[: len(places)], equal[len(places) :]
        place_of = np.full(int(equal.max(initial=-1)) + 1, -1, dtype=np.int64)
        place_of[mine] = places
        found = place_of[theirs] >= 0
        left, touched = np.zeros_like(place_of), np.zeros(len(place_of), dtype=np.bool_)
        np.add.at(left, mine, self._weights[places])
        np.add.at(left, theirs[found], weights[found])
        touched[theirs[found]] = True
        # of equal rows one stands for all
        self._weights[places[touched[mine]]] = 0
        self._weights[place_of[touched]] = left[touched]
        self._dead += int((self._weights[places] == 0).sum())
        return np.flatnonzero(~found)

    def _compact(self) -> None:
        rows, weights, keys = self.every()
        self.clear()
        self._append(rows, weights, keys)

    def renumber(self, numbers: Int64s) -> None:
        """Let keys have other numbers: `numbers` has the new ones by the old ones."""
        rows, weights, keys = self.every()
        self.clear()
        self._append(rows, weights, numbers[keys])
