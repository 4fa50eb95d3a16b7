"""Rows of one input of a join by key and event time, where the rows of a tick cost no more than themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.bands import Run, later
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.numbering import with_room

_LEAST_ROOM = 4
_SOON = 4
"""Where one key needs room, those move with it that will need some after so many ticks like this one."""
_AHEAD = 16
_FAR_AHEAD = 256
"""A key that comes again has more room: so many times as many rows as come at once, so many at most."""
_SPARE = 1 << 19
"""So many places are worth keeping: fresh memory costs more than what is done with it."""

Positions = Callable[[Int64s], Sequence[Int64s]]
"""Of some rows, the columns that say which of equal times comes first; the first column counts most."""


class Index:
    """The rows of each key stand in a run of places, by time, with room behind it.

    A run that needs more room than it has moves behind all others, and gets twice as much as it needs; it leaves
    behind what `least_us` says is of no use. The rest of what is of no use goes when somebody calls `keep`.

    Args:
        newest: of the rows before `least_us`, the newest one of each key is of use.
        positions: rows of one key and time stand by these; None: as they come.

    Attributes:
        rows, times: of every place.
        least_us: the times that are of use; it only rises.
        latest_us: no row is after this time.
    """

    def __init__(self, *, newest: bool = False, positions: Positions | None = None) -> None:
        self._newest = newest
        self._positions = positions
        self.least_us = WATERMARK_MIN_US
        # one place more than there are: a search may look behind the last row
        self.rows, self.times = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self._clear(0)

    def _clear(self, keys: int) -> None:
        self._start, self._size, self._room = (np.zeros(keys, dtype=np.int64) for _ in range(3))
        self._last_us = np.full(keys, WATERMARK_MIN_US)
        self.latest_us = WATERMARK_MIN_US
        self._end = 0
        self._count = 0

    def __len__(self) -> int:
        """Rows, some of which may be of no use any more."""
        return self._count

    @property
    def nbytes(self) -> int:
        return self.rows.nbytes + self.times.nbytes + 4 * self._start.nbytes

    def copy(self) -> Index:
        """The same rows, to which others may come."""
        other = Index(newest=self._newest, positions=self._positions)
        other.least_us = self.least_us
        other._reserve(len(self._start))
        rows, codes, times = self._all()
        other.add(Run(rows, codes, times))
        return other

    # -- changes ----------------------------------------------------------------------------------------------------

    def add(self, run: Run) -> None:
        """Take rows in; they have codes from 0 on."""
        if not len(run):
            return
        firsts = _firsts(run.codes)
        keys, sizes = run.codes[firsts], _sizes(firsts, len(run))
        self._reserve(int(keys[-1]) + 1)
        before = self._size[keys]
        left = self._room[keys] - before
        if np.count_nonzero(left < sizes):
            short = left < _SOON * sizes
            self._move(keys[short], sizes[short])
            before = self._size[keys]
        ends = self._start[keys] + before
        places = np.arange(len(run)) + (ends - firsts).repeat(sizes)
        self.rows[places], self.times[places] = run.rows, run.times
        self._size[keys] = before + sizes
        self._count += len(run)
        behind = self._behind(run, firsts, keys, ends - 1, before)
        last_us = run.times[firsts + sizes - 1]
        self.latest_us = max(self.latest_us, int(last_us.max()))
        self._last_us[keys] = np.maximum(last_us, self._last_us[keys])
        if len(behind):
            self._sort(behind)

    def _reserve(self, keys: int) -> None:
        if keys > len(self._start):
            self._start, self._size, self._room = (with_room(a, keys, 0) for a in (self._start, self._size, self._room))
            self._last_us = with_room(self._last_us, keys, WATERMARK_MIN_US)

    def _move(self, keys: Int64s, more: Int64s) -> None:
        """Let keys have room for so many more rows."""
        starts, sizes = self._of_use(keys)
        self._count -= int((self._size[keys] - sizes).sum())
        ahead = np.where(sizes > 0, np.minimum(_AHEAD * more, _FAR_AHEAD), 0)
        room = np.maximum(2 * (sizes + more) + ahead, _LEAST_ROOM)
        ends = self._end + room.cumsum()
        fresh = ends - room
        places, targets = ranges(starts, sizes), ranges(fresh, sizes)
        self._end = int(ends[-1])
        self.rows, self.times = (with_room(a, self._end + 1, 0) for a in (self.rows, self.times))
        self.rows[targets], self.times[targets] = self.rows[places], self.times[places]
        self._start[keys], self._size[keys], self._room[keys] = fresh, sizes, room

    def _of_use(self, keys: Int64s) -> tuple[Int64s, Int64s]:
        """(where the rows of keys that are of use begin, how many these are)."""
        starts, sizes = self._start[keys], self._size[keys]
        if self.least_us <= WATERMARK_MIN_US:
            return starts, sizes
        found = self._search(starts, sizes, np.full(len(keys), self.least_us))
        if self._newest:
            found = np.maximum(found - 1, starts)
        return found, sizes - (found - starts)

    def _behind(self, run: Run, firsts: Int64s, keys: Int64s, lasts: Int64s, before: Int64s) -> Int64s:
        """The keys whose first row of a run does not come after the last one that was there."""
        first_us, last_us = run.times[firsts], self.times[lasts]
        behind = (first_us < last_us) & (before > 0)
        if self._positions is not None:
            ties = ((first_us == last_us) & (before > 0)).nonzero()[0]
            if len(ties):
                columns = self._positions(np.concatenate((run.rows[firsts[ties]], self.rows[lasts[ties]])))
                first = np.arange(len(ties))
                behind[ties] = ~later(columns, first, first + len(ties))
        return keys[behind]

    def _sort(self, keys: Int64s) -> None:
        """Put the rows of some keys in order again."""
        sizes = self._size[keys]
        places = ranges(self._start[keys], sizes)
        rows, times = self.rows[places], self.times[places]
        ties = [] if self._positions is None else [*reversed(self._positions(rows))]
        order = np.lexsort([*ties, times, np.repeat(np.arange(len(keys)), sizes)])
        self.rows[places], self.times[places] = rows[order], times[order]

    # -- searches ---------------------------------------------------------------------------------------------------

    def between(self, codes: Int64s, low_us: Int64s, high_us: Int64s) -> tuple[Int64s, Int64s]:
        """(first place, how many) of the rows of each key that are in ``[low_us, high_us]``."""
        self._reserve(int(codes.max(initial=-1)) + 1)
        starts, sizes = self._start[codes], self._size[codes]
        first = self._search(starts, sizes, low_us)
        rest = starts + sizes - first
        if (high_us >= self._last_us[codes]).all():
            return first, rest
        return first, self._search(first, rest, high_us, after=True) - first

    def nearest(self, codes: Int64s, at_us: Int64s, *, forward: bool, strict: bool) -> Int64s:
        """The row of each key that is nearest to a time, before or after it; -1 where there is none.

        Args:
            codes: those of no key are negative.
            strict: not at the very time.
        """
        self._reserve(int(codes.max(initial=-1)) + 1)
        if not self._count:
            return np.full(len(codes), -1, dtype=np.int64)
        starts, sizes = self._start[codes], np.where(codes >= 0, self._size[codes], 0)
        after = self._search(starts, sizes, at_us, after=forward == strict)
        places = after if forward else after - 1
        there = (places < starts + sizes) if forward else (places >= starts)
        return np.where(there & (sizes > 0), self.rows[places], -1)

    def _search(self, starts: Int64s, sizes: Int64s, wanted: Int64s, *, after: bool = False) -> Int64s:
        """The first place of each run whose time is not before the one wanted; the place behind the run if all are.

        Args:
            after: the first place whose time is after the one wanted.
        """
        is_before = np.less_equal if after else np.less
        found, rest = starts.copy(), sizes.copy()
        for _ in range((int(sizes.max(initial=1)) - 1).bit_length()):
            half = rest >> 1
            found += half * is_before(self.times[found + half - 1], wanted)
            rest -= half
        found += (rest > 0) & is_before(self.times[found], wanted)
        return found

    # -- all of them ------------------------------------------------------------------------------------------------

    def _all(self) -> tuple[Int64s, Int64s, Int64s]:
        """(rows, codes, times) of the rows of use, by code and time."""
        keys = np.flatnonzero(self._size)
        starts, sizes = self._of_use(keys)
        places = ranges(starts, sizes)
        return self.rows[places], np.repeat(keys, sizes), self.times[places]

    def entries(self) -> tuple[Int64s, Int64s]:
        """(the rows of use, their codes), by code and time."""
        rows, codes, _ = self._all()
        return rows, codes

    def keep(self, numbers: Int64s | None = None, codes: Int64s | None = None) -> None:
        """Number rows anew, and let go of those that get no number.

        Args:
            numbers: the new ones by the old ones, -1 for rows that go; None: they keep theirs.
            codes: the same for codes.
        """
        rows, owners, times = self._all()
        rows = rows if numbers is None else numbers[rows]
        owners = owners if codes is None else codes[owners]
        stay = np.flatnonzero((rows >= 0) & (owners >= 0))
        run = Run(rows[stay], owners[stay], times[stay])
        if codes is not None:
            run = run.at(np.argsort(run.codes, kind="stable"))
        self._clear(len(self._start) if codes is None else 0)
        if len(self.rows) > _SPARE:
            self.rows, self.times = self.rows[:1].copy(), self.times[:1].copy()
        self.add(run)


def _firsts(codes: Int64s) -> Int64s:
    """Where the rows of each code begin."""
    begins: npt.NDArray[np.bool_] = np.empty(len(codes), dtype=np.bool_)
    begins[:1] = True
    np.not_equal(codes[1:], codes[:-1], out=begins[1:])
    return begins.nonzero()[0]


def _sizes(firsts: Int64s, count: int) -> Int64s:
    """How many rows each code has."""
    sizes = np.empty_like(firsts)
    sizes[:-1] = firsts[1:]
    sizes[-1:] = count
    sizes -= firsts
    return sizes
