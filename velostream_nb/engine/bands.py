"""Pairs of rows with equal keys whose event times are near.

Rows stand by (key number, event time), so what a row may meet stands in one run of places. Where most rows have
neighbours, all of them are compared with the next row, then with the one after it, and so on: none is looked up. Where
few rows meet many, binary searches find where the runs begin and end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.delta import Int64s

Pairs = tuple[Int64s, Int64s]
Mark = npt.NDArray[Any]
"""Numbers of equal values, integers that sort as values do, or doubles."""

PAIRS_AT_ONCE = 1 << 13
"""Candidates are made so many at a time: what is computed of them stays in the processor's cache."""
_MERGED = 7
"""A binary search costs as much as passing so many numbers."""
_SPARSE = 16
"""To make a pair costs as much as comparing so many rows with their neighbours."""
_SMALL = 1 << 9
"""Of so few rows, each pair is made sooner than they are compared neighbour by neighbour."""
_FOLDED = 1 << 62
_FURTHEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Run:
    """Rows by (code, time).

    Attributes:
        rows: their numbers in the table they come from.
        codes: the numbers of their keys; rows with a negative one match nothing, and stand first.
        marks: what else they are compared by.
    """

    rows: Int64s
    codes: Int64s
    times: Int64s
    marks: tuple[Mark, ...] = ()

    @classmethod
    def none(cls, marks: tuple[Mark, ...] = ()) -> Run:
        """No rows, with marks such as these."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, tuple(mark[:0] for mark in marks))

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: Int64s | npt.NDArray[np.bool_]) -> Run:
        """Some of the rows, in this order."""
        marks = tuple(mark[places] for mark in self.marks)
        return Run(self.rows[places], self.codes[places], self.times[places], marks)

    def sorted(self) -> Run:
        """The same rows, which stand in any order; those of equal code and time keep theirs."""
        return self.at(np.lexsort((self.times, self.codes)))

    def keyed(self) -> Run:
        """Without those that match nothing."""
        if not len(self) or self.codes[0] >= 0:
            return self
        first = int(np.searchsorted(self.codes, 0))
        marks = tuple(mark[first:] for mark in self.marks)
        return Run(self.rows[first:], self.codes[first:], self.times[first:], marks)

    def since(self, least_us: int) -> Run:
        """Those from a time on, without marks."""
        stay = self.times >= least_us
        if stay.all():
            return self
        return Run(self.rows[stay], self.codes[stay], self.times[stay])


class Scale:
    """Folds (code, time) into one int64 that sorts the same way.

    Args:
        times: all the event times of rows that will be folded.
        codes: codes are below this.
        reach_us: how far apart the times of pairs may be.

    Attributes:
        even: numbers of one code are as far apart as their times, and those of two codes further than `reach_us`.
    """

    def __init__(self, times: Sequence[Int64s], codes: int, reach_us: int = 0) -> None:
        full = [t for t in times if len(t)]
        least = min((int(t.min()) for t in full), default=0)
        most = max((int(t.max()) for t in full), default=0)
        self._least, self._span = least, most - least + 2 + reach_us
        self.even = self._span <= _FOLDED // (codes + 1) and max(-least, most + reach_us) < _FOLDED
        if not self.even:  # so far apart, their ranks do as well
            self._distinct = np.unique(np.concatenate(full))
            self._span = len(self._distinct) + 1

    def fold(self, codes: Int64s, times: Int64s) -> Int64s:
        """One number a row."""
        if not self.even:
            return codes * self._span + np.searchsorted(self._distinct, times)
        folded = codes * self._span
        folded += times
        folded -= self._least
        return folded

    def fold_any(self, codes: Int64s, times: Int64s) -> Int64s:
        """The same for times that no row may have: they are put between the others."""
        if not self.even:
            return self.fold(codes, times)
        return self.fold(codes, np.minimum(np.maximum(times, self._least), self._least + self._span - 1))


# -- many rows that meet a few ----------------------------------------------------------------------------------------


def neighbours(folded: Int64s, reach: int, differing: Sequence[Mark]) -> Iterator[Pairs]:
    """Places i < j of numbers that are sorted, at most `reach` apart, and differ in each of the other arrays."""
    count = len(folded)
    if count <= _SMALL:
        yield from _crowded(folded, reach, np.arange(count), 1, differing)
        return
    for distance in range(1, count):
        near = folded[distance:] - folded[:-distance] <= reach
        alive = np.count_nonzero(near)
        if not alive:
            return
        if alive * _SPARSE < count and count > PAIRS_AT_ONCE:
            yield from _crowded(folded, reach, near.nonzero()[0], distance, differing)
            return
        for values in differing:
            near &= values[distance:] != values[:-distance]
        first = near.nonzero()[0]
        if len(first):
            yield first, first + distance


def _crowded(folded: Int64s, reach: int, first: Int64s, distance: int, differing: Sequence[Mark]) -> Iterator[Pairs]:
    """The same for the rows `first`, which have more neighbours than most, from a distance on."""
    sizes = folded.searchsorted(folded[first] + reach, side="right") - first - distance
    for one, other in expanded(first, first + distance, sizes):
        for values in differing:
            apart = (values[one] != values[other]).nonzero()[0]
            one, other = one[apart], other[apart]
        yield one, other


# -- a few rows that meet many ----------------------------------------------------------------------------------------


def candidates(probe: Run, target: Int64s, scale: Scale, low_us: int, high_us: int) -> Iterator[Pairs]:
    """Places in both runs: equal codes, and ``low_us <= target's time - probe's time <= high_us``.

    Args:
        target: the other run, folded.
    """
    first = _places(target, scale.fold_any(probe.codes, moved(probe.times, low_us)))
    sizes = _places(target, scale.fold_any(probe.codes, moved(probe.times, high_us + 1))) - first
    yield from expanded(np.arange(len(probe)), first, sizes)


def expanded(probe: Int64s, first: Int64s, sizes: Int64s) -> Iterator[Pairs]:
    """Each of `probe` with ``first, first + 1, …``, so many as `sizes` says."""
    ends = sizes.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    if total <= PAIRS_AT_ONCE:
        if total:
            yield probe.repeat(sizes), np.arange(total) + (first - ends + sizes).repeat(sizes)
        return
    start = 0
    cuts = np.searchsorted(ends, np.arange(PAIRS_AT_ONCE, total, PAIRS_AT_ONCE), side="right")
    for stop in (*np.unique(cuts).tolist(), len(sizes)):
        if stop > start:
            some = sizes[start:stop]
            yield np.repeat(probe[start:stop], some), ranges(first[start:stop], some)
        start = stop


def _places(within: Int64s, wanted: Int64s) -> Int64s:
    """``np.searchsorted`` for numbers that are sorted too."""
    count = len(wanted)
    if len(within) > _MERGED * count:
        return np.searchsorted(within, wanted)
    order = np.argsort(np.concatenate((wanted, within)), kind="stable")  # of two sorted runs: one pass
    return np.flatnonzero(order < count) - np.arange(count)


def moved(times: Int64s, by_us: int) -> Int64s:
    """Times moved by so much; as far as they go."""
    if by_us >= 0:
        return np.minimum(times, _FURTHEST - by_us) + by_us
    return np.maximum(times, -_FURTHEST - by_us) + by_us


def gathered(pairs: Iterable[Pairs], count: int) -> Iterator[Pairs]:
    """The same pairs, at least so many at once but for the last ones."""
    some: list[Pairs] = []
    held = 0
    for pair in pairs:
        some.append(pair)
        held += len(pair[0])
        if held >= count:
            yield joined(some)
            some, held = [], 0
    if held:
        yield joined(some)


def joined(pairs: list[Pairs]) -> Pairs:
    """All of them one after another."""
    if len(pairs) == 1:
        return pairs[0]
    nothing = np.empty(0, dtype=np.int64)
    return np.concatenate([nothing, *(p[0] for p in pairs)]), np.concatenate([nothing, *(p[1] for p in pairs)])


# -- order ------------------------------------------------------------------------------------------------------------


def run_of(codes: Int64s, times: Int64s, most: int) -> Run:
    """Rows with the codes of each, which are at most so great; equal ones as they came."""
    order = (codes.astype(np.int16) if most < 1 << 15 else codes).argsort(kind="stable")
    return _by_time(Run(order, codes[order], times[order]))


def _by_time(run: Run) -> Run:
    """The rows of each code, which stand together, by time."""
    back = run.times[1:] < run.times[:-1]
    back &= run.codes[1:] == run.codes[:-1]
    return run.sorted() if np.count_nonzero(back) else run


def by_position(run: Run, positions: Sequence[Callable[[], Int64s]]) -> Run:
    """The same rows with those of equal code and time by their positions.

    Args:
        positions: they give each position column, of all the rows that numbers of rows refer to; called only if needed.
    """
    ties = ((run.times[1:] == run.times[:-1]) & (run.codes[1:] == run.codes[:-1])).nonzero()[0]
    if not len(ties):
        return run
    columns = [position() for position in positions]
    if later(columns, run.rows[ties + 1], run.rows[ties]).all():
        return run
    return run.at(np.lexsort([*(column[run.rows] for column in reversed(columns)), run.times, run.codes]))


def later(columns: Sequence[Int64s], rows: Int64s, others: Int64s) -> npt.NDArray[np.bool_]:
    """Are rows after others by these columns, the first of which counts most?"""
    after, same = np.zeros(len(rows), dtype=np.bool_), np.ones(len(rows), dtype=np.bool_)
    for column in columns:
        one, other = column[rows], column[others]
        after |= same & (one > other)
        same &= one == other
    return after
