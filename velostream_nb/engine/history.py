"""History: the last rows of every partition, of the columns that somebody looks back at.

The rows of a partition stand in one run. A tick reads the runs of the partitions it touches, and writes their new ones
behind all others; what they were before is swept together with other leftovers once those are as many as what is kept.
So a tick costs its own rows and those kept for its partitions, however many partitions there are.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS
from velostream_nb.engine.arrays import array_of, number_type, ranges, validity_of, values_of, whole
from velostream_nb.engine.codes import Parted, parted
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Values
from velostream_nb.engine.slots import Slots

SLOT = "__slot"
"""Column of saved rows: the number of the partition."""
_FEW = 4096
"""So many leftovers are not worth a sweep."""


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
        self.slots = Slots(partition)
        self.columns = dict(columns)
        self._pool: dict[str, _Numbers | _Others] = {}
        self.clear()

    def clear(self) -> None:
        """Keep nothing."""
        self.slots = Slots(self._partition)
        self._pool = {name: _Numbers(t) if number_type(t) else _Others(t) for name, t in self.columns.items()}
        self._start = np.zeros(0, dtype=np.int64)
        self._size = np.zeros(0, dtype=np.int64)
        self._used = 0
        self.rows = 0
        self._swept_us = WATERMARK_MIN_US

    def extended(self, rows: pa.Table) -> Extended:
        """The rows, which stand in event-time order, behind what is kept of their partitions."""
        parts = parted(rows, tuple(field.name for field in self._partition))
        if not self.columns:
            nothing = np.zeros(len(parts.starts), dtype=np.int64)
            return Extended(rows, parts, [], nothing, nothing, nothing, self)
        keys = self.slots.keys(rows, parts.order[parts.starts])
        slots = self.slots.find(keys)
        known = slots >= 0
        starts, sizes = np.zeros_like(slots), np.zeros_like(slots)
        starts[known], sizes[known] = self._start[slots[known]], self._size[slots[known]]
        return Extended(rows, parts, keys, slots, starts, sizes, self)

    def kept(self, name: str, places: Int64s) -> Values | pa.Array:
        """Values of a column at places of the pool."""
        return self._pool[name].take(places)

    def replace(self, seen: Extended, low: Int64s, high: Int64s) -> None:
        """Keep rows [low, high) of each partition, in places of `seen`, instead of what was kept of it."""
        if not self.columns:
            return
        slots = self.slots.add(seen.keys, seen.slots)
        grown = len(self.slots) - len(self._start)
        if grown:
            self._start = np.concatenate((self._start, np.zeros(grown, dtype=np.int64)))
            self._size = np.concatenate((self._size, np.zeros(grown, dtype=np.int64)))
        sizes = high - low
        places = ranges(low, sizes)
        for name, column in self._pool.items():
            column.append(seen.at(name, places), self._used)
        self.rows += len(places) - int(self._size[slots].sum())
        self._start[slots] = self._used + np.cumsum(sizes) - sizes
        self._size[slots] = sizes
        self._used += len(places)

    def sweep(self, watermark_us: int) -> None:
        """Let go of leftovers, once they are many, and of old rows, once event time has moved on by their age."""
        aged = self._age_us is not None and watermark_us - self._swept_us >= self._age_us
        if not self._used or (not aged and self._used <= 2 * self.rows + _FEW):
            return
        if self._age_us is not None:
            self._age(watermark_us - self._age_us)
            self._swept_us = watermark_us
        places = ranges(self._start, self._size)
        for column in self._pool.values():
            column.keep(places)
        self._start = np.cumsum(self._size) - self._size
        self._used = self.rows = len(places)

    def _age(self, oldest_us: int) -> None:
        ts = self._pool[TS].take(np.arange(self._used))
        assert isinstance(ts, Values)
        before = np.zeros(self._used + 1, dtype=np.int64)
        np.cumsum(ts.numbers.astype(np.int64, copy=False) < oldest_us, out=before[1:])
        old = before[self._start + self._size] - before[self._start]
        old = np.minimum(old, np.maximum(self._size - self._always, 0))
        self._start, self._size = self._start + old, self._size - old
        alive = np.flatnonzero(self._size)
        if len(alive) < len(self._size):
            self.slots.keep(alive)
            self._start, self._size = self._start[alive], self._size[alive]

    # -- snapshots --------------------------------------------------------------------------------------------------

    def table(self) -> pa.Table:
        """All that is kept, run by run: `SLOT`, the partition, the columns."""
        slots = np.repeat(np.arange(len(self.slots)), self._size)
        places = ranges(self._start, self._size)
        columns = [pool.array(places) for pool in self._pool.values()]
        return pa.Table.from_arrays([pa.array(slots), *self.slots.columns(slots), *columns], schema=self.schema)

    @property
    def schema(self) -> pa.Schema:
        """Of `table`."""
        kept = [pa.field(f"kept_{name}", dtype) for name, dtype in self.columns.items()]
        return pa.schema([pa.field(SLOT, pa.int64()), *self._partition, *kept])

    def load(self, table: pa.Table) -> None:
        """Take back what `table` gave."""
        self.clear()
        slots = np.asarray(table.column(SLOT).to_numpy(), dtype=np.int64)
        starts = np.flatnonzero(np.diff(slots, prepend=-1))
        keys = self.slots.keys(table, starts)
        self.slots.add(keys, self.slots.find(keys))
        self._start = starts
        self._size = np.diff(starts, append=len(slots))
        for name, column in self._pool.items():
            array = whole(table.column(f"kept_{name}"))
            column.append(values_of(array) if isinstance(column, _Numbers) else array, 0)
        self._used = self.rows = len(slots)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and keys kept, about."""
        return sum(column.nbytes for column in self._pool.values()) + 100 * len(self.slots)


class Extended:
    """A tick's rows partition by partition, in event-time order, each partition's behind what is kept of it.

    Places count from 0 over all of these. Arrays named after partitions are parallel to them.

    Attributes:
        keys, slots: of the partitions.
        order: the rows given, partition by partition.
        places: where these are, in that order.
        first, stop: of the partitions, where their rows begin and end (exclusive), kept ones included.
        fresh: of the partitions, where the rows given begin.
        sizes: of the partitions, how many rows are given.
    """

    def __init__(
        self,
        rows: pa.Table,
        parts: Parted,
        keys: list[tuple[Hashable, ...]],
        slots: Int64s,
        starts: Int64s,
        kept: Int64s,
        history: History,
    ) -> None:
        self.keys, self.slots = keys, slots
        self.order, self.sizes = parts.order, parts.sizes
        self._rows = rows
        self._history = history
        before = np.cumsum(kept)
        self.fresh = parts.starts + before
        self.first = self.fresh - kept
        self.stop = self.fresh + self.sizes
        self.places = np.arange(len(self.order)) + np.repeat(before, self.sizes)
        total = int(before[-1]) if len(before) else 0
        self._old = np.arange(total) + np.repeat(parts.starts, kept)
        self._pooled = np.arange(total) + np.repeat(starts - before + kept, kept)
        self._columns: dict[str, Values] = {}

    def __len__(self) -> int:
        return len(self.order) + len(self._old)

    def values(self, name: str) -> Values:
        """A column of numbers at all places; of another type, whether they are NULL."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._extended(name)
        return found

    def _extended(self, name: str) -> Values:
        read = values_of if number_type(self.type(name)) is not None else validity_of
        given = read(self._rows.column(name))
        ordered = given.numbers[self.order]
        if not len(self._old):
            return Values(ordered, None if given.valid is None else given.valid[self.order])
        kept = self._history.kept(name, self._pooled)
        kept = kept if isinstance(kept, Values) else validity_of(kept)
        numbers = np.empty(len(self), dtype=ordered.dtype)
        numbers[self._old], numbers[self.places] = kept.numbers, ordered
        if given.valid is None and kept.valid is None:
            return Values(numbers)
        valid = np.ones(len(self), dtype=np.bool_)
        if kept.valid is not None:
            valid[self._old] = kept.valid
        if given.valid is not None:
            valid[self.places] = given.valid[self.order]
        return Values(numbers, valid)

    def at(self, name: str, places: Int64s) -> Values | pa.Array:
        """Values of a column at some places."""
        if number_type(self.type(name)) is None:
            return self._taken(name, places)
        values = self.values(name)
        return Values(values.numbers[places], None if values.valid is None else values.valid[places])

    def type(self, name: str) -> pa.DataType:
        """The type of a column."""
        return self._rows.schema.field(name).type

    def _taken(self, name: str, places: Int64s) -> pa.Array:
        where = np.empty(len(self), dtype=np.int64)
        where[self._old] = np.arange(len(self._old))
        where[self.places] = self.order + len(self._old)
        given = whole(self._rows.column(name))
        if len(self._old):
            given = pa.concat_arrays([self._history.kept(name, self._pooled), given])
        return given.take(pa.array(where[places]))


class _Numbers:
    """A column of numbers, with room for more."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._type = dtype
        self._numbers = np.empty(0, dtype=number_type(dtype))
        self._valid = np.empty(0, dtype=np.bool_)
        self._nulls = False

    def append(self, values: Values | pa.Array, used: int) -> None:
        """Write behind the first `used` values."""
        assert isinstance(values, Values)
        end = used + len(values)
        if end > len(self._numbers):
            room = max(end, 2 * used)
            self._numbers = np.resize(self._numbers[:used], room) if used else np.empty(room, self._numbers.dtype)
            self._valid = np.resize(self._valid[:used], room) if used else np.empty(room, np.bool_)
        self._numbers[used:end] = values.numbers
        self._valid[used:end] = True if values.valid is None else values.valid
        self._nulls = self._nulls or (values.valid is not None and not values.valid.all())

    def take(self, places: Int64s) -> Values:
        return Values(self._numbers[places], self._valid[places] if self._nulls else None)

    def keep(self, places: Int64s) -> None:
        self._numbers, self._valid = self._numbers[places], self._valid[places]
        self._nulls = self._nulls and not self._valid.all()

    def array(self, places: Int64s) -> pa.Array:
        return array_of(self.take(places), self._type)

    @property
    def nbytes(self) -> int:
        return int(self._numbers.nbytes + self._valid.nbytes)


class _Others:
    """A column of any other type."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._values = pa.nulls(0, dtype)

    def append(self, values: Values | pa.Array, used: int) -> None:
        assert isinstance(values, pa.Array)
        self._values = pa.concat_arrays([self._values.slice(0, used), values])

    def take(self, places: Int64s) -> pa.Array:
        return self._values.take(pa.array(places))

    def keep(self, places: Int64s) -> None:
        self._values = self.take(places)

    def array(self, places: Int64s) -> pa.Array:
        return self.take(places)

    @property
    def nbytes(self) -> int:
        return int(self._values.nbytes)
