"""What is left of a join's condition when sorted arrays have said their part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.engine.arrays import array_of, number_type, values_of, whole
from velostream_nb.engine.bands import Pairs
from velostream_nb.engine.delta import int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Values
from velostream_nb.engine.join_side import Side
from velostream_nb.sql import plan
from velostream_nb.sql.join_parts import Part

_EVALUATED_AT_ONCE = 1 << 16
"""Pairs that one statement looks at, about: it costs 0.2 ms besides."""

_FEW = 1 << 12

_PAIR = "__pair"


class Rest:
    """A statement over pairs, with the columns that it reads and no others."""

    def __init__(
        self, node: plan.IntervalJoin, duck: Duck, left: pa.Schema, right: pa.Schema, parts: tuple[Part, ...]
    ) -> None:
        reads = {name for part in parts for name in part.reads}
        sides = ((left, node.left_columns), (right, node.right_columns))
        found = [(i, c, pa.field(o, sides[i][0].field(c).type)) for i in (0, 1) for c, o in sides[i][1] if o in reads]
        self._columns = [(side, column) for side, column, _ in found]
        self._feed = duck.feed(pa.schema([*(f for *_, f in found), pa.field(_PAIR, pa.int64())]))
        where = " AND ".join(f"({part.sql})" for part in parts)
        self._statement = duck.prepare(f"SELECT {_PAIR} FROM {self._feed.name} WHERE {where}")
        # written over again and again: fresh memory costs as much as what is done with it
        self._room = 0
        self._pairs = np.empty((2, 0), dtype=np.int64)
        self._buffers: list[npt.NDArray[np.generic] | None] = []
        self._numbers = pa.nulls(0, pa.int64())

    def passing(self, pairs: Iterable[Pairs], left: Side, right: Side) -> Iterator[Pairs]:
        """Those of the pairs of rows that pass.

        Raises:
            EvaluationError: the condition cannot be computed for some pair.
        """
        columns = [whole((left, right)[side].rows.column(column)) for side, column in self._columns]
        used = 0
        for one, other in pairs:
            start = 0
            while start < len(one):
                some = min(len(one) - start, _EVALUATED_AT_ONCE - used)
                self._grow(used + some)
                self._pairs[0, used : used + some] = one[start : start + some]
                self._pairs[1, used : used + some] = other[start : start + some]
                used, start = used + some, start + some
                if used == _EVALUATED_AT_ONCE:
                    yield self._evaluated(used, columns)
                    used = 0
        if used:
            yield self._evaluated(used, columns)

    def _grow(self, count: int) -> None:
        if count <= self._room:
            return
        self._room = min(max(count, 2 * self._room, _FEW), _EVALUATED_AT_ONCE)
        pairs = np.empty((2, self._room), dtype=np.int64)
        pairs[:, : self._pairs.shape[1]] = self._pairs
        self._pairs = pairs
        types = [number_type(field.type) for field in list(self._feed.schema)[:-1]]
        self._buffers = [np.empty(self._room, dtype=dtype) if dtype is not None else None for dtype in types]
        self._numbers = pa.array(np.arange(self._room))

    def _evaluated(self, count: int, columns: list[pa.Array]) -> Pairs:
        pair = self._pairs[:, :count]
        arrays = [
            _taken(column, pair[side], buffer)
            for column, (side, _), buffer in zip(columns, self._columns, self._buffers, strict=True)
        ]
        self._feed.rows = pa.Table.from_arrays([*arrays, self._numbers.slice(0, count)], schema=self._feed.schema)
        rows = int64s(self._statement.rows(), _PAIR)
        self._feed.rows = no_rows(self._feed.schema)
        return pair[0][rows], pair[1][rows]


def _taken(column: pa.Array, rows: npt.NDArray[np.int64], buffer: npt.NDArray[np.generic] | None) -> pa.Array:
    """Rows of a column; numbers are in the buffer, which is written over next time."""
    if buffer is None:
        return column.take(pa.array(rows))
    values = values_of(column)
    numbers = buffer[: len(rows)]
    np.take(values.numbers, rows, out=numbers, mode="clip")
    return array_of(Values(numbers, None if values.valid is None else values.valid[rows]), column.type)


def joined(pairs: list[Pairs]) -> Pairs:
    """All of them one after another."""
    if len(pairs) == 1:
        return pairs[0]
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *(p[0] for p in pairs)]), np.concatenate([nothing, *(p[1] for p in pairs)])
