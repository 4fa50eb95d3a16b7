"""What window functions look at, row by row: which rows are complete, which must stay for others."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS
from velostream_nb.core.vectors import numbers_in
from velostream_nb.engine.codes import Int64s, parted
from velostream_nb.engine.delta import int64s
from velostream_nb.engine.ordered import unit_of, units
from velostream_nb.sql.plan import Reach

Mask: TypeAlias = npt.NDArray[np.bool_]


class Partitioned:
    """Rows in event-time order, one partition after another.

    Arrays are parallel to the rows in that order; `rows_of` turns a mask back into the order of the rows given.

    Attributes:
        codes: a number per row given, equal where the partition is.
        first, stop: where the row's partition begins and ends (exclusive).
    """

    def __init__(self, rows: pa.Table, partition: tuple[str, ...]) -> None:
        parts = parted(rows, partition)
        count = rows.num_rows
        self._index = np.arange(count)
        self.codes, self.order, sizes = parts.codes, parts.order, parts.sizes
        self.starts = starts = parts.starts
        self.first = np.repeat(starts, sizes)
        self.stop = np.repeat(np.r_[starts[1:], count] if count else starts, sizes)
        self._sizes = sizes

    def sorted(self, mask: Mask) -> Mask:
        """A mask of the rows given, partition by partition."""
        found: Mask = mask[self.order]
        return found

    def rows_of(self, mask: Mask) -> Mask:
        """The inverse of `sorted`."""
        found = np.empty(len(mask), dtype=np.bool_)
        found[self.order] = mask
        return found

    def first_of(self, mask: Mask) -> Int64s:
        """Where the first row of the mask is in each row's partition; its end when there is none."""
        at = np.where(mask, self._index, len(mask))
        least = np.minimum.reduceat(at, self.starts) if len(at) else at
        found: Int64s = np.minimum(np.repeat(least, self._sizes), self.stop)
        return found

    @property
    def index(self) -> Int64s:
        return self._index


class Look:
    """One `Reach` over the rows of one tick, at one watermark."""

    def __init__(self, reach: Reach, parts: Partitioned, rows: pa.Table, watermark_us: int) -> None:
        self.reach = reach
        self.parts = parts
        self._ended = watermark_us >= WATERMARK_MAX_US
        self._now = unit_of(watermark_us, reach.unit_us)
        self._at = units(int64s(rows, TS)[parts.order], reach.unit_us)
        self._counted = np.ones(rows.num_rows, dtype=np.bool_)
        if reach.counted is not None:
            self._counted = numbers_in(rows.column(reach.counted)).astype(np.bool_)[parts.order]
        self._counts = np.r_[0, np.cumsum(self._counted)]
        self._over: Mask = np.zeros(rows.num_rows, dtype=np.bool_)
        if reach.ends is not None:
            self._over = int64s(rows, reach.ends)[parts.order] <= watermark_us

    def _groups(self) -> tuple[Int64s, Int64s]:
        """Per row, the number of its unit of event time, and where the rows of that unit end (exclusive)."""
        at, parts = self._at, self.parts
        new = np.r_[True, at[1:] != at[:-1]] if len(at) else np.zeros(0, dtype=np.bool_)
        new[parts.starts] = True
        number = np.cumsum(new)
        ends = np.r_[np.flatnonzero(new)[1:], len(at)]
        return number, ends[number - 1]

    # -- what is complete -------------------------------------------------------------------------------------------

    def complete(self) -> Mask:
        """Which rows will see no further row in their frames."""
        if self._ended:
            return np.ones(len(self._at), dtype=np.bool_)
        reach = self.reach
        if reach.kind == "time":
            done = self._at + reach.after < self._now
        elif reach.kind == "groups":
            done = self._groups_after() >= reach.after
        else:
            done = self._rows_after()
        return done | self._over

    def _groups_after(self) -> Int64s:
        """Complete units after the row's own, -1 when that one is not."""
        number, _ = self._groups()
        there = self._at < self._now
        whole = np.r_[0, np.cumsum(there)]
        last = self.parts.first + whole[self.parts.stop] - whole[self.parts.first] - 1
        after = number[np.maximum(last, self.parts.first)] - number
        return np.where(there, after, -1)

    def _rows_after(self) -> Mask:
        reach, stop = self.reach, self.parts.stop
        after = self.parts.index + 1
        done = np.ones(len(after), dtype=np.bool_)
        if reach.loose:
            _, after = self._groups()
            done = self._at < self._now
        if reach.after:
            done = done & (stop - after >= reach.after)
        if reach.ahead:
            done = done & (self._counts[stop] - self._counts[after] >= reach.ahead)
        return done

    # -- what must stay ---------------------------------------------------------------------------------------------

    def needed(self, waiting: Mask) -> Mask:
        """Which rows the waiting ones, or rows to come, look at."""
        if self._ended:
            return np.zeros(len(self._at), dtype=np.bool_)
        oldest = self.parts.first_of(waiting)
        base = self._base(oldest)
        index = self.parts.index
        needed = index >= base
        if self.reach.beyond:
            needed |= self._beyond(base)
        if self.reach.first:
            needed |= self._first()
        needed &= ~(self._over & (oldest == self.parts.stop))
        return needed

    def _base(self, oldest: Int64s) -> Int64s:
        """The first row that `before` reaches from the oldest row that waits, or from a row to come."""
        reach, first, at = self.reach, self.parts.first, self._at
        if not len(at):
            return first
        last = np.maximum(self.parts.stop - 1, first)
        if reach.kind == "rows":
            base = np.maximum(oldest - reach.before, first)
            return self._whole(base) if reach.loose else base
        if reach.kind == "groups":
            number, _ = self._groups()
            next_ = np.where(oldest < self.parts.stop, number[np.minimum(oldest, last)], number[last] + 1)
            return first + self._count(number < next_ - reach.before)
        now = np.where(oldest < self.parts.stop, np.minimum(at[np.minimum(oldest, last)], self._now), self._now)
        return first + self._count(at < now - reach.before)

    def _count(self, mask: Mask) -> Int64s:
        """Rows of the mask in each row's partition."""
        sums = np.r_[0, np.cumsum(mask)]
        found: Int64s = sums[self.parts.stop] - sums[self.parts.first]
        return found

    def _whole(self, base: Int64s) -> Int64s:
        """Moved back to where the rows of the same unit of event time begin."""
        at = np.where(base < self.parts.stop, self._at[np.minimum(base, len(self._at) - 1)], self._now)
        return self.parts.first + self._count(self._at < at)

    def _beyond(self, base: Int64s) -> Mask:
        """The counted rows right before `base`."""
        counts, index = self._counts, self.parts.index
        chosen = self._counted & (index < base) & (counts[base] - counts[index + 1] < self.reach.beyond)
        return self._with_peers(chosen, index < base) if self.reach.loose else chosen

    def _first(self) -> Mask:
        counts, index = self._counts, self.parts.index
        chosen = self._counted & (counts[index] - counts[self.parts.first] < self.reach.first)
        return self._with_peers(chosen, np.ones(len(index), dtype=np.bool_)) if self.reach.loose else chosen

    def _with_peers(self, chosen: Mask, among: Mask) -> Mask:
        """The chosen rows and those of the same units of event time: each of them may be the one in question."""
        number, _ = self._groups()
        hit = np.zeros(int(number[-1]) + 1 if len(number) else 0, dtype=np.bool_)
        hit[number[chosen]] = True
        return self._counted & among & hit[number]
