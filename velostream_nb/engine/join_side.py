"""What an interval join keeps of an input: the rows that a row still to come on the other side may reach."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.engine.bands import Mark, Run
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.join_index import Index
from velostream_nb.engine.join_rows import Rows
from velostream_nb.engine.numbering import with_room

Bools = npt.NDArray[np.bool_]

_FEW = 1 << 14
"""So many rows that no row to come reaches are not worth a copy of the others."""
_OWN = 4
"""Columns of a `Side` besides the marks."""


class Side:
    """Rows of the left input, of the right one, or of both when these are one input.

    They are numbered in the order of their runs. Whether a row is done is known of it as a row of the left input (0)
    and as one of the right input (1).

    Args:
        once: a row that is done as one of the left input is of no use.

    Attributes:
        rows: the rows as they came.
        index: those that a row to come may match.
        count: how many rows there are, some of which are of no use any more.
    """

    def __init__(self, schema: pa.Schema, *, once: bool = False) -> None:
        self.rows = Rows(schema)
        self.index = Index()
        self.count = 0
        self._once = once
        self._least_us = WATERMARK_MIN_US
        self._columns: list[npt.NDArray[Any]] = [np.empty(0, dtype=t) for t in (np.int64, np.int64, np.bool_, np.bool_)]
        self._swept = 0

    @property
    def at(self) -> Int64s:
        """Where in `rows` each row is."""
        return self._columns[0][: self.count]

    @property
    def times(self) -> Int64s:
        """Event times."""
        return self._columns[1][: self.count]

    def done(self, side: int) -> Bools:
        """Has the row had a match, or come without one?"""
        return self._columns[2 + side][: self.count]

    @property
    def marks(self) -> list[Mark]:
        """What rows are compared by besides their keys and times."""
        return [column[: self.count] for column in self._columns[_OWN:]]

    # -- rows -------------------------------------------------------------------------------------------------------

    def append(self, rows: pa.Table, run: Run) -> Run:
        """Take a tick's rows in, of which those of the run matter; it comes back with their numbers.

        It is for the caller to put them into the index.
        """
        first, end = self.count, self.count + len(run)
        if len(self._columns) == _OWN:
            self._columns += [mark[:0] for mark in run.marks]
        if end > len(self._columns[0]):
            self._columns = [with_room(column, end, 0) for column in self._columns]
        new = run.rows + len(self.rows), run.times, False, False, *run.marks
        for column, values in zip(self._columns, new, strict=True):
            column[first:end] = values
        self.rows.append(rows)
        self.count = end
        return Run(np.arange(first, end), run.codes, run.times, run.marks)

    def truncate(self, count: int, rows: int) -> None:
        """Go back to so many rows, and so many of `rows`: what was appended last has never come."""
        self.count = count
        self.rows.truncate(rows)

    def copy(self) -> Side:
        """Another one with the same rows."""
        other = copy(self)
        other.rows, other.index = self.rows.copy(), self.index.copy()
        other._columns = [column.copy() for column in self._columns]
        return other

    def remark(self, place: int, numbers: Int64s) -> None:
        """Give other numbers to a mark that is one."""
        column = self._columns[_OWN + place]
        column[: self.count] = numbers[column[: self.count]]

    # -- time -------------------------------------------------------------------------------------------------------

    def passed(self, least_us: int) -> None:
        """No row before this time can match a row to come."""
        self._least_us = self.index.least_us = least_us

    def lonely(self, side: int, least_us: int) -> Int64s:
        """The rows before a time that have had no match. From here on they are done."""
        if least_us <= WATERMARK_MIN_US:
            return np.empty(0, dtype=np.int64)
        waiting = np.flatnonzero(~self.done(side))
        found = waiting[self.times[waiting] < least_us]
        self.done(side)[found] = True
        return found

    def oldest_waiting_us(self, side: int) -> int | None:
        """The earliest event time of a row that is not done."""
        waiting = self.times[~self.done(side)]
        return int(waiting.min()) if len(waiting) else None

    def _of_use(self) -> Int64s:
        stay = self.times >= self._least_us
        if self._once:
            stay &= ~self.done(0)
        return np.flatnonzero(stay)

    def sweep(self) -> bool:
        """Let go of the rows of no use, once these are many: have the others new numbers?"""
        if max(self.count, len(self.rows)) <= 2 * self._swept + _FEW:
            return False
        stay = self._of_use()
        used = np.sort(self.at[stay])
        numbers = np.full(self.count, -1, dtype=np.int64)
        numbers[stay] = np.arange(len(stay))
        self.index.keep(numbers)
        self.rows.keep(used)
        kept = [np.searchsorted(used, self.at[stay]), *(column[stay] for column in self._columns[1:])]
        if len(self._columns[0]) > 4 * self.count:
            self._columns = kept
        else:  # the next rows will need as much memory, and fresh one costs more than what is done with it
            for column, values in zip(self._columns, kept, strict=True):
                column[: len(stay)] = values
        self.count = self._swept = len(stay)
        return True

    # -- state ------------------------------------------------------------------------------------------------------

    def size(self) -> tuple[int, int]:
        """(rows of use, bytes of them), about."""
        rows, stay = len(self.rows), len(self._of_use())
        each = self.rows.nbytes // rows if rows else 0
        return stay, stay * (each + sum(column.itemsize for column in self._columns) + 32)

    def snapshot(self, side: int) -> tuple[pa.Table, Bools]:
        """(the rows of use in the order they came, which of them are done)."""
        stay = self._of_use()
        stay = stay[np.argsort(self.at[stay])]
        return self.rows.some(self.at[stay]), self.done(side)[stay]
