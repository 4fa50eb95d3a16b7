"""Run: a tick's rows partition by partition in event-time order, and sums that go on from row to row."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from velostream_nb.engine.arrays import Scalar, ranges, scattered
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.key_numbering import Parts

_ALIKE = (8, 64, 512)
"""Partitions of up to so many rows are taken along together; those of more, one by one."""


class Run:
    """The rows of a tick.

    Attributes:
        order: the rows given, partition by partition; arrays of rows are parallel to it.
        starts, sizes, slots: of the partitions.
    """

    def __init__(self, parts: Parts, ts: Int64s) -> None:
        self.order, self.starts, self.sizes, self.slots = parts.order, parts.starts, parts.sizes, parts.slots
        self._given_ts = ts

    @cached_property
    def rank(self) -> Int64s:
        """Of the rows: how many of the partition stand before it."""
        found: Int64s = np.arange(len(self.order)) - self.spread(self.starts)
        return found

    @cached_property
    def _new_times(self) -> Mask:
        ts = self._given_ts[self.order]
        new = np.empty(len(ts), dtype=np.bool_)
        np.not_equal(ts[1:], ts[:-1], out=new[1:])
        new[self.starts] = True
        return new

    @cached_property
    def _time(self) -> Int64s:
        """Of the rows: a number for their time in their partition, without gaps."""
        return self._new_times.cumsum() - 1

    @cached_property
    def peer_first(self) -> Int64s:
        """Of the rows: the first one of their time."""
        return self._new_times.nonzero()[0].take(self._time)

    @cached_property
    def peer_last(self) -> Int64s | None:
        """Of the rows: the last one of their time; None where each row has a time of its own."""
        if self._new_times.all():
            return None
        firsts = self._new_times.nonzero()[0]
        found: Int64s = np.append(firsts[1:], len(self.order)).take(self._time) - 1
        return found

    @cached_property
    def peer_number(self) -> Int64s:
        """Of the rows: how many times the partition had before theirs."""
        found: Int64s = self._time - self.spread(self._time[self.starts])
        return found

    def spread(self, numbers: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """One number a partition, for each of its rows."""
        return numbers.repeat(self.sizes)

    def given(self, numbers: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Numbers of rows, in the order in which those were given."""
        return scattered(numbers, self.order)

    def last(self, ready: Mask | None) -> Int64s:
        """Of the partitions, the last row that is ready (None: all are); before `starts` where none is."""
        if ready is None:
            last: Int64s = self.starts + self.sizes - 1
            return last
        found: Int64s = self.starts + np.add.reduceat(ready[self.order].astype(np.int64), self.starts) - 1
        return found

    def summed(self, numbers: Int64s, carried: Int64s) -> Int64s:
        """Running sums of integers from what is carried on; they wrap around."""
        sums: Int64s = numbers.cumsum()
        sums += self.spread(carried - (sums[self.starts] - numbers[self.starts]))
        return sums

    def folded(self, fold: np.ufunc, numbers: npt.NDArray[Scalar], carried: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """``fold(fold(carried, first), second)`` and so on in every partition."""
        found = np.empty_like(numbers)
        with np.errstate(invalid="ignore", over="ignore"):
            for place in self._long:
                start = int(self.starts[place])
                mine = numbers[start : start + int(self.sizes[place])].copy()
                mine[0] = fold(carried[place], mine[0])
                found[start : start + len(mine)] = fold.accumulate(mine)
            for alike in self._classes:
                grid = np.zeros((len(alike.places), alike.width), dtype=numbers.dtype)
                grid[:, 0] = carried.take(alike.places)
                flat = grid.ravel()
                flat[alike.at] = numbers.take(alike.rows)
                fold.accumulate(grid, axis=1, out=grid)
                found[alike.rows] = flat.take(alike.at)
        return found

    @cached_property
    def _long(self) -> list[int]:
        """Partitions with too many rows to be taken along with others."""
        long: list[int] = (self.sizes > _ALIKE[-1]).nonzero()[0].tolist()
        return long

    @cached_property
    def _classes(self) -> list[_Alike]:
        """The other partitions, those of much the same size together."""
        found = []
        least, largest = 0, int(self.sizes.max())
        for most in _ALIKE:
            places = ((self.sizes > least) & (self.sizes <= most)).nonzero()[0]
            if len(places):
                found.append(_Alike(self, places))
            if largest <= most:
                break
            least = most
        return found


class _Alike:
    """Partitions on a grid, a line each: in front, what is carried, then a place a row.

    Attributes:
        places: which partitions of the run.
        width: of the grid.
        rows: theirs, in the order of the run.
        at: where in the grid these are.
    """

    def __init__(self, run: Run, places: Int64s) -> None:
        sizes = run.sizes.take(places)
        self.places = places
        self.width = 1 + int(sizes.max())
        self.rows = ranges(run.starts.take(places), sizes)
        self.at = (np.arange(len(places)) * self.width + 1).repeat(sizes)
        self.at += run.rank.take(self.rows)
