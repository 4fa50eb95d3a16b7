"""History: the last rows of every partition, of the columns that somebody looks back at.

Each partition has places of its own in the pools, more than it needs. A tick writes its rows behind those that are
kept, so what a row looks back at stands before it; what need not be kept is left behind. When no place is left, the
partition moves to the front of its places, or to more of them. So a tick costs its own rows, however many partitions
there are, and however many rows are kept of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS
from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.codes import Int64s, parted
from velostream_nb.engine.extended import Extended
from velostream_nb.engine.key_numbering import KeyNumbering, Parts
from velostream_nb.engine.pools import Numbers, Others, pool_of

SLOT = "__slot"
"""Column of saved rows: the number of the partition."""
_SPARE = 4
_ALL_SPARE = 1 << 14
"""Rows that a partition has room for beside those it needs: so many, or its share of so many."""


class History:
    """What is kept.

    Args:
        partition: the partition's columns.
        columns: those that are kept, with their types; `TS` among them when rows go by age.
        rows: so many rows of every partition are always kept.
        age_us: the others go when event time is so far past them; None: who replaces rows says which stay.
    """

    def __init__(
        self, partition: Sequence[pa.Field], columns: Mapping[str, pa.DataType], *, rows: int, age_us: int | None
    ) -> None:
        self._partition = tuple(partition)
        self._always = rows
        self._age_us = age_us
        self.columns = dict(columns)
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self.slots = KeyNumbering(self._partition)
        self._pools: dict[str, Numbers | Others] = {name: pool_of(dtype) for name, dtype in self.columns.items()}
        # of the slots: the first place and the one behind the last, of what is theirs and of what is kept
        self._begin = np.zeros(0, dtype=np.int64)
        self._limit = np.zeros(0, dtype=np.int64)
        self._start = np.zeros(0, dtype=np.int64)
        self._end = np.zeros(0, dtype=np.int64)
        self._used = 0
        self._places = 0
        self._swept_us = WATERMARK_MIN_US

    def extended(self, rows: pa.Table) -> Extended:
        """The rows (one at least), which stand in event-time order, behind what is kept of their partitions.

        What is kept stays so until `keep` says otherwise.
        """
        parts = self._parts(rows)
        self._know(len(self.slots))
        end = self._end.take(parts.slots)
        if np.count_nonzero(end + parts.sizes > self._limit.take(parts.slots)):
            self._make_room(parts)
            end = self._end.take(parts.slots)
        seen = Extended(parts, parts.slots, self._start.take(parts.slots), end, self._pools)
        for name, pool in self._pools.items():
            pool.write(seen.places, rows.column(name))
        return seen

    def keep(self, seen: Extended, start: Int64s, end: Int64s) -> None:
        """Of the partitions seen, keep the rows at places [start, end)."""
        self._start[seen.slots] = start
        self._end[seen.slots] = end
        for pool in self._pools.values():
            pool.tidy(self._live)

    def sweep(self, watermark_us: int) -> None:
        """Let go of old rows, once event time has moved on by their age."""
        if self._age_us is None or watermark_us - self._swept_us < self._age_us or not len(self.slots):
            return
        self._swept_us = watermark_us
        self._age(watermark_us - self._age_us)
        self._compact()

    def _age(self, oldest_us: int) -> None:
        ts = self._pools[TS].known(self._live())
        before = np.zeros(len(ts) + 1, dtype=np.int64)
        np.cumsum(ts.numbers.astype(np.int64, copy=False) < oldest_us, out=before[1:])
        sizes = self._end - self._start
        stops = np.cumsum(sizes)
        old = before[stops] - before[stops - sizes]
        self._start += np.minimum(old, np.maximum(sizes - self._always, 0))
        alive = (self._end > self._start).nonzero()[0]
        if len(alive) < len(self.slots):
            self.slots.keep(alive)
            self._begin, self._limit = self._begin[alive], self._limit[alive]
            self._start, self._end = self._start[alive], self._end[alive]

    def _parts(self, rows: pa.Table) -> Parts:
        return self.slots.parts([rows.column(field.name) for field in self._partition], rows.num_rows)

    # -- places -----------------------------------------------------------------------------------------------------

    def _live(self) -> Int64s:
        """The places of all that is kept, partition by partition."""
        return ranges(self._start, self._end - self._start)

    def _know(self, slots: int) -> None:
        """Partitions that were never seen have no place yet."""
        if slots > len(self._end):
            more = np.zeros(max(slots - len(self._end), len(self._end)), dtype=np.int64)
            self._begin, self._limit = np.concatenate((self._begin, more)), np.concatenate((self._limit, more))
            self._start, self._end = np.concatenate((self._start, more)), np.concatenate((self._end, more))

    def _make_room(self, parts: Parts) -> None:
        """Have places for the rows of a tick behind those that are kept."""
        # those that would be short soon move along: then it is once in many ticks that any do
        tight = self._end[parts.slots] + 2 * parts.sizes > self._limit[parts.slots]
        slots, sizes = parts.slots[tight], parts.sizes[tight]
        kept = self._end[slots] - self._start[slots]
        small = kept + sizes > self._limit[slots] - self._begin[slots]
        if small.any():
            stops = self._used + np.cumsum(self._with_spare((kept + sizes)[small]))
            if int(stops[-1]) > self._places:
                self._compact(parts)
                return
            self._begin[slots[small]] = np.append(self._used, stops[:-1])
            self._limit[slots[small]] = stops
            self._used = int(stops[-1])
        source, target = ranges(self._start[slots], kept), ranges(self._begin[slots], kept)
        for pool in self._pools.values():
            pool.move(source, target)
        self._start[slots] = self._begin[slots]
        self._end[slots] = self._begin[slots] + kept

    def _with_spare(self, rows: Int64s) -> Int64s:
        room: Int64s = rows + np.maximum(rows >> 1, max(_SPARE, _ALL_SPARE // max(len(self.slots), 1)))
        return room

    def _compact(self, parts: Parts | None = None) -> None:
        """Give every partition its places anew, with room for the rows of a tick."""
        kept = self._end - self._start
        room = np.minimum(self._with_spare(kept), self._limit - self._begin)
        if parts is not None:
            room[parts.slots] = self._with_spare(kept[parts.slots] + parts.sizes)
        self._limit = np.cumsum(room)
        self._begin = self._limit - room
        self._used = int(room.sum())
        self._places = self._used + self._used // 2
        source, target = self._live(), ranges(self._begin, kept)
        for pool in self._pools.values():
            pool.move(source, target, self._places)
        self._start = self._begin.copy()
        self._end = self._begin + kept

    # -- snapshots --------------------------------------------------------------------------------------------------

    def table(self) -> pa.Table:
        """All that is kept, partition by partition: `SLOT`, the partition, the columns."""
        slots = np.repeat(np.arange(len(self._end)), self._end - self._start)
        places = self._live()
        columns = [pool.array(places) for pool in self._pools.values()]
        return pa.Table.from_arrays([vector(slots), *self.slots.arrays(slots), *columns], schema=self.schema)

    @property
    def schema(self) -> pa.Schema:
        """Of `table`."""
        kept = [pa.field(f"kept_{name}", dtype) for name, dtype in self.columns.items()]
        return pa.schema([pa.field(SLOT, pa.int64()), *self._partition, *kept])

    def load(self, table: pa.Table) -> None:
        """Take back what `table` gave."""
        self.clear()
        if not table.num_rows:
            return
        parts = self._parts(table)
        self._know(len(self.slots))
        self._compact(parts)
        seen = Extended(parts, parts.slots, self._start.take(parts.slots), self._end.take(parts.slots), self._pools)
        for name, pool in self._pools.items():
            pool.write(seen.places, table.column(f"kept_{name}"))
        self.keep(seen, seen.first, seen.stop)

    @property
    def rows(self) -> int:
        """How many rows are kept."""
        return int((self._end - self._start).sum())

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and keys kept, about."""
        return sum(pool.nbytes for pool in self._pools.values()) + self.slots.nbytes + 4 * self._end.nbytes


class Passing:
    """What looks at the rows of its own tick alone, those that wait among them: nothing is kept.

    Args:
        partition: the partition's columns.
        columns: those that are looked at, with their types.
    """

    def __init__(self, partition: Sequence[pa.Field], columns: Mapping[str, pa.DataType]) -> None:
        self._names = tuple(field.name for field in partition)
        self._columns = dict(columns)

    def extended(self, rows: pa.Table) -> Extended:
        """The rows (one at least), which stand in event-time order."""
        parts = parted(rows, self._names)
        pools = {name: pool_of(dtype) for name, dtype in self._columns.items()}
        seen = Extended(parts, np.arange(len(parts.starts)), parts.starts, parts.starts, pools)
        nothing = np.zeros(0, dtype=np.int64)
        for name, pool in pools.items():
            pool.move(nothing, nothing, rows.num_rows)
            pool.write(seen.places, rows.column(name))
        return seen
