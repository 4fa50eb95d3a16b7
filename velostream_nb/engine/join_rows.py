"""Rows that are kept as they came, and found again by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import pyarrow as pa

from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Int64s

_MANY = 64
"""So many chunks are merged even if nobody reads them."""
_SCATTERED = 4
"""Rows that are read from so many chunks and more show that there are too many."""
_NEAR = 8
_FEW = 2048
"""So many rows are copied, and so many times as many as are wanted, sooner than rows are taken chunk by chunk."""


class Rows:
    """Rows numbered from 0 on, in the chunks they came in.

    What is appended is not copied. Chunks are merged once somebody has read from too many of them, such that each is
    more than twice as long as the next one: a row is copied a few times at most, and read from a few chunks.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._chunks: list[pa.RecordBatch] = []
        self._ends: list[int] = []
        self._scattered = False

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def nbytes(self) -> int:
        return sum(chunk.nbytes for chunk in self._chunks)

    def copy(self) -> Rows:
        """The same rows, to which others may come."""
        other = copy(self)
        other._chunks, other._ends = [*self._chunks], [*self._ends]
        return other

    def append(self, rows: pa.Table) -> None:
        """Put rows of the schema behind the others."""
        if self._scattered or len(self._chunks) > _MANY:
            self._merge()
        for chunk in rows.to_batches():
            self._chunks.append(chunk)
            self._ends.append(len(self) + chunk.num_rows)

    def truncate(self, count: int) -> None:
        """Let go of the rows that were appended since there were `count`; nothing else was appended."""
        while len(self) > count:
            self._chunks.pop()
            self._ends.pop()

    def _merge(self) -> None:
        chunks, first = self._chunks, len(self._chunks) - 1
        total = chunks[first].num_rows
        while first and chunks[first - 1].num_rows <= 2 * total:
            first -= 1
            total += chunks[first].num_rows
        if first < len(chunks) - 1:
            chunks[first:] = [pa.concat_batches(chunks[first:])]
            self._ends[first:] = self._ends[-1:]
        self._scattered = False

    def taken(self, columns: Sequence[int], rows: Int64s) -> list[pa.Array]:
        """Columns, by their places in the schema, of rows in any order."""
        if not len(rows) or not columns:
            return [pa.nulls(0, self.schema.field(c).type) for c in columns]
        if len(self._chunks) == 1:
            return _taken(self._chunks[0], columns, rows)
        chunk_of = np.searchsorted(self._ends, rows, side="right")
        first, last = int(chunk_of.min()), int(chunk_of.max())
        if first == last:
            return _taken(self._chunks[first], columns, rows - self._start(first))
        self._scattered = self._scattered or last - first >= _SCATTERED
        start = self._start(first)
        if self._ends[last] - start <= _NEAR * len(rows) + _FEW:
            parts, indices = self._chunks[first : last + 1], vector(rows - start)
            return [pa.concat_arrays([chunk.column(c) for chunk in parts]).take(indices) for c in columns]
        return self._from_chunks(columns, rows, chunk_of)

    def _from_chunks(self, columns: Sequence[int], rows: Int64s, chunk_of: Int64s) -> list[pa.Array]:
        """The same for rows that are far apart: what is between them is not touched."""
        order = np.argsort(chunk_of, kind="stable")
        ordered, numbers = rows[order], chunk_of[order]
        cuts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        parts = [
            _taken(self._chunks[chunk], columns, ordered[low:high] - self._start(chunk))
            for chunk, low, high in zip(
                numbers[[0, *cuts]].tolist(), [0, *cuts.tolist()], [*cuts.tolist(), len(rows)], strict=True
            )
        ]
        found = [pa.concat_arrays(arrays) for arrays in zip(*parts, strict=True)]
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        indices = vector(back)
        return [array.take(indices) for array in found]

    def _start(self, chunk: int) -> int:
        return self._ends[chunk - 1] if chunk else 0

    def table(self) -> pa.Table:
        """All of them."""
        return pa.Table.from_batches(self._chunks, schema=self.schema)

    def some(self, rows: Int64s) -> pa.Table:
        """Some of them."""
        return pa.Table.from_arrays(self.taken(range(len(self.schema)), rows), schema=self.schema)

    def keep(self, rows: Int64s) -> None:
        """Let go of all others; these, which ascend, are numbered anew."""
        kept = self.some(rows)
        self._chunks, self._ends, self._scattered = [], [], False
        if len(rows):
            self.append(kept)


def _taken(chunk: pa.RecordBatch, columns: Sequence[int], rows: Int64s) -> list[pa.Array]:
    indices = vector(rows)
    return [chunk.column(c).take(indices) for c in columns]
