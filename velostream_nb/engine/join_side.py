"""One input of an interval join: the rows that a row still to come on the other input may reach."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.engine.bands import Run, merged
from velostream_nb.engine.delta import Int64s, concat, int64s

Bools = npt.NDArray[np.bool_]

_FEW = 4096
"""So many rows that no row to come reaches are not worth a copy of the others."""
_CHUNKS = 16


@dataclass(frozen=True, slots=True)
class Arrived:
    """A tick's rows of one input.

    Attributes:
        run: all of them, with what is compared besides the keys and event times.
    """

    rows: pa.Table
    run: Run


@dataclass(frozen=True, slots=True)
class Side:
    """What is kept of one input. Every change gives a new one.

    Attributes:
        rows: in order of arrival. Some may be of no use any more; none of them has a match to come.
        found: has the row had a match? Empty when that does not matter.
        old: the rows in use that came before this tick.
        new: the rows of this tick.
    """

    rows: pa.Table
    found: Bools
    old: Run
    new: Run

    @classmethod
    def empty(cls, schema: pa.Schema) -> Side:
        return cls(no_rows(schema), np.empty(0, dtype=np.bool_), Run.none(), Run.none())

    def __len__(self) -> int:
        return len(self.old) + len(self.new)

    def with_new(self, arrived: Arrived, *, tracked: bool) -> Side:
        """With the rows of a tick; `tracked`: it matters whether they have a match."""
        before, count = self.rows.num_rows, arrived.rows.num_rows
        if not count:
            return self
        found = np.zeros(count if tracked else 0, dtype=np.bool_)
        return Side(
            rows=concat([self.rows, arrived.rows]),
            found=np.concatenate((self.found, found)),
            old=self.old if len(self.old) else Run.none(arrived.run.marks),
            new=arrived.run.behind(before),
        )

    def with_found(self, rows: Int64s) -> Side:
        """After these rows had a match."""
        found = self.found.copy()
        found[rows] = True
        return replace(self, found=found)

    def times(self, rows: Int64s) -> Int64s:
        """Event times of some rows."""
        found: Int64s = int64s(self.rows, TS)[rows]
        return found

    def settled(self, least_us: int, *, once: bool) -> tuple[Side, Int64s]:
        """(what stays after the tick, the rows that go without a match); rows before `least_us` go.

        Args:
            once: a row that had a match goes too.
        """
        tracked = len(self.found) > 0
        kept, lone = [], []
        for run in (self.old, self.new):
            stays = run.times >= least_us if least_us > WATERMARK_MIN_US else np.ones(len(run), np.bool_)
            if tracked:
                found = self.found[run.rows]
                lone.append(run.rows[~stays & ~found])
                stays = stays & ~found if once else stays
            else:  # nothing is ever said of a row that matches none
                stays = stays & (run.codes >= 0)
            kept.append(run.only(stays))
        side = Side(self.rows, self.found, merged(*kept), Run.none(self.new.marks))
        return side, np.concatenate(lone) if lone else np.empty(0, dtype=np.int64)

    def swept(self) -> Side:
        """Without the rows of no use, once these are many."""
        if self.rows.num_rows <= 2 * len(self.old) + _FEW:
            many = self.rows.num_columns and self.rows.column(0).num_chunks > _CHUNKS
            return replace(self, rows=self.rows.combine_chunks()) if many else self
        stay = np.sort(self.old.rows)
        return Side(
            rows=self.rows.take(pa.array(stay)).combine_chunks(),
            found=self.found[stay] if len(self.found) else self.found,
            old=replace(self.old, rows=np.searchsorted(stay, self.old.rows)),
            new=self.new,
        )

    def renumbered(self, numbers: Int64s) -> Side:
        """With other codes: `numbers` has the new ones by the old ones."""
        return replace(self, old=replace(self.old, codes=numbers[self.old.codes]).sorted())

    def remarked(self, place: int, numbers: Int64s) -> Side:
        """With other numbers of what ``<>`` compares."""
        marks = list(self.old.marks)
        if marks:
            marks[place] = numbers[marks[place]].astype(np.int32)
        return replace(self, old=replace(self.old, marks=tuple(marks)))

    def started(self) -> Side:
        """Its new rows as those of ticks before."""
        return replace(self, old=merged(self.old, self.new), new=Run.none(self.new.marks))

    def size(self) -> tuple[int, int]:
        """(rows in use, bytes of all of them), about."""
        count = self.rows.num_rows
        each = self.rows.nbytes // count if count else 0
        return len(self), (each + 32) * len(self)

    def in_use(self) -> tuple[pa.Table, Bools]:
        """(the rows in use, which of them had a match)."""
        stay = np.sort(self.old.rows)
        found = self.found[stay] if len(self.found) else np.zeros(len(stay), dtype=np.bool_)
        return self.rows.take(pa.array(stay)), found

    def oldest_unfound_us(self) -> int | None:
        """The earliest event time of a row that had no match."""
        if not len(self.found):
            return None
        waiting = self.old.times[~self.found[self.old.rows]]
        return int(waiting.min()) if len(waiting) else None
