"""DISTINCT: which values each group has, and how often; the aggregates over them follow as values come and go.

State is bounded by the different values of each group, not by its rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import number_type, ranges, values_of
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.finals import Final
from velostream_nb.engine.frames import Numbers
from velostream_nb.engine.key_numbering import KeyNumbering, can_number
from velostream_nb.engine.numbering import PairNumbering, parts_of, with_room
from velostream_nb.engine.tallies import Chosen, Count, RealSum, Tally
from velostream_nb.engine.tally_kinds import tally_for
from velostream_nb.sql import plan


class Members:
    """The different values of one argument in each group: a number for every pair of them.

    Several aggregates share it: which rows count for each is theirs to know.
    """

    def __init__(self, dtype: pa.DataType) -> None:
        self._type = dtype
        self.values = KeyNumbering([pa.field("value", dtype)])
        self.pairs = PairNumbering()

    def beside(self) -> Members:
        """None yet, of other groups; values have the same numbers."""
        found = Members(self._type)
        found.values = self.values
        return found

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.pairs.nbytes

    def number(self, groups: Int64s, column: pa.ChunkedArray) -> Int64s:
        """The pair of each row."""
        return self.pairs.number(groups, self.values.number([column], len(groups)))

    def groups(self, pairs: Int64s) -> Int64s:
        """The groups of pairs."""
        return parts_of(self.pairs.known[pairs])[0]

    def arguments(self, pairs: Int64s) -> pa.Array:
        """The values of pairs."""
        return self.values.arrays(parts_of(self.pairs.known[pairs])[1])[0]

    def keep(self, groups: Int64s) -> Int64s:
        """Forget the pairs of all other groups, which are numbered anew: the old numbers of the new pairs."""
        owners, values = parts_of(self.pairs.known)
        place = np.full(max(int(groups.max(initial=-1)), int(owners.max(initial=-1))) + 1, -1, dtype=np.int64)
        place[groups] = np.arange(len(groups))
        kept = np.flatnonzero(place[owners] >= 0)
        return kept[self._renumbered(place[owners[kept]], values[kept])]

    def _renumbered(self, owners: Int64s, values: Int64s) -> Int64s:
        """Start again with these pairs: where each of the new ones stands among them."""
        different, places = np.unique(values, return_inverse=True)
        fresh = self.values.keep(different)
        self.pairs = PairNumbering()
        order = np.empty(len(owners), dtype=np.int64)
        order[self.pairs.number(owners, fresh[places])] = np.arange(len(owners))
        return order

    def joined(self, groups: Int64s, other: Members, places: Int64s) -> tuple[Int64s, Int64s]:
        """Give our groups what groups of another one have, place by place: (its pairs, ours for them).

        Both must number values alike (`values` is shared).
        """
        owners, values = parts_of(other.pairs.known)
        order = np.argsort(owners, kind="stable")
        sizes = np.bincount(owners, minlength=int(places.max(initial=-1)) + 1)
        starts = np.cumsum(sizes) - sizes
        theirs = order[ranges(starts[places], sizes[places])]
        ours = self.pairs.number(np.repeat(groups, sizes[places]), values[theirs])
        return theirs, ours


@dataclass(frozen=True, slots=True)
class Known:
    """Rows that an aggregate with DISTINCT takes.

    Attributes:
        pairs: of the group and the value of each.
        weights: as in `Chosen`.
    """

    pairs: Int64s
    weights: Int64s | None = None


class Distinct:
    """COUNT, SUM or AVG of the different values of each group.

    Args:
        members: the pairs it counts by.
        tally: aggregates the values, each once.
        takes_back: rows may go again, so that it matters how often a value is there.
    """

    def __init__(self, members: Members, tally: Tally, *, takes_back: bool) -> None:
        self.members = members
        self.tally = tally
        self.times: npt.NDArray[np.signedinteger] = np.empty(0, dtype=np.int64 if takes_back else np.int8)
        """How often each pair is there; 1 for any number of times when it cannot go."""

    def add(self, rows: Known) -> None:
        """Take rows in: the values that come for the first time count, and those that go for the last time no more."""
        self.times = with_room(self.times, len(self.members), 0)
        if rows.weights is None:
            fresh = np.unique(rows.pairs[self.times[rows.pairs] == 0])
            self.times[fresh] = 1
            self._turn(fresh, None)
            return
        touched = np.unique(rows.pairs)
        before = self.times[touched] > 0
        np.add.at(self.times, rows.pairs, rows.weights)
        change = (self.times[touched] > 0).astype(np.int64) - before
        turned = np.flatnonzero(change)
        self._turn(touched[turned], change[turned])

    def _turn(self, pairs: Int64s, weights: Int64s | None) -> None:
        """Different pairs that come, or go."""
        if len(pairs):
            self.tally.add(Chosen(self.members.groups(pairs), self._numbers(pairs), weights))

    def _numbers(self, pairs: Int64s) -> Numbers | pa.Array | None:
        if isinstance(self.tally, Count):
            return None
        values = self.members.arguments(pairs)
        return values if number_type(values.type) is None else values_of(values).numbers

    def grow(self, groups: int) -> None:
        self.tally.grow(groups)

    def times_of(self, pairs: Int64s) -> Int64s:
        """How often pairs are there."""
        self.times = with_room(self.times, len(self.members), 0)
        found: Int64s = self.times[pairs].astype(np.int64)
        return found

    def load(self, pairs: Int64s, times: Int64s) -> None:
        """Take back what `times_of` gave; the tally has its own parts back."""
        self.times = with_room(np.empty(0, dtype=self.times.dtype), len(self.members), 0)
        self.times[pairs] = times

    def keep(self, groups: Int64s, pairs: Int64s) -> None:
        """Forget other groups; `pairs`: what `Members.keep` gave."""
        self.tally.keep(groups)
        self.times = with_room(self.times, int(pairs.max(initial=-1)) + 1, 0)[pairs]

    def join(self, theirs: Int64s, ours: Int64s, other: Distinct) -> None:
        """Take in pairs of another one; see `Members.joined`."""
        there = other.times_of(theirs) > 0
        self.add(Known(ours[there]))

    def final(self, groups: Int64s) -> Final:
        return self.tally.final(groups)

    @property
    def row_bytes(self) -> int:
        """What a group takes, without its values."""
        return self.tally.row_bytes


def tally_of_distinct(asked: plan.Tally, argument: pa.DataType, result: pa.DataType) -> Tally | None:
    """What aggregates the different values; None when numbers cannot say what that gives."""
    tally = tally_for(asked, argument, result)
    # a sum of doubles would depend on which value came first
    return None if isinstance(tally, RealSum) or not can_number(argument) else tally
