"""The pairs of an interval join by binary searches over (key, time), with plain comparisons in numpy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import TS
from velostream_nb.core.vectors import valid_in
from velostream_nb.engine.bands import (
    PAIRS_AT_ONCE,
    Mark,
    Pairs,
    Run,
    Scale,
    candidates,
    expanded,
    gathered,
    joined,
    moved,
    neighbours,
)
from velostream_nb.engine.delta import Int64s, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.formulas import doubles_of, holds
from velostream_nb.engine.join_band import Band
from velostream_nb.engine.join_keys import Numbers, sortable
from velostream_nb.engine.join_rest import Rest
from velostream_nb.engine.join_side import Bools, Side
from velostream_nb.sql import plan

_UNUSED_KEYS = 1024
"""So many numbers of keys that no row has are not worth numbering anew."""
_ALIKE = 8
"""Runs are compared as neighbours when neither is so many times as long as the other."""

_OPERATORS: dict[str, Callable[[Any, Any], Bools]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Banded:
    """Finds pairs.

    Args:
        one: both inputs are one, whose rows are kept once: the two sides are one `Side`, the two runs one run.
    """

    def __init__(
        self, node: plan.IntervalJoin, duck: Duck, left: pa.Schema, right: pa.Schema, band: Band, *, one: bool
    ) -> None:
        self._band = band
        self._columns = tuple(tuple(pair[side] for pair in band.keys) for side in (0, 1))
        self._keys = Numbers([kind for *_, kind in band.keys])
        self._values = [Numbers([kind]) for *_, kind in band.unequal]
        self._rest = Rest(node, duck, left, right, band.rest) if band.rest else None
        read = [band.read(0) | band.read(1)] * 2 if one else [band.read(0), band.read(1)]
        self._read = tuple(tuple(sorted(names)) for names in read)
        first = len(band.unequal) + len(band.ordered)
        self._formulas = [
            (f, [(v, first + self._read[v.side].index(v.column)) for v in f.values()]) for f in band.formulas
        ]
        nulls = band.compared(0), band.compared(1)
        self._nulls = (nulls[0] & nulls[1],) * 2 if one else nulls
        self._own_nulls = tuple(nulls[side] - self._nulls[side] for side in (0, 1) if one and nulls[0] != nulls[1])
        self._any_own = False

    # -- rows -------------------------------------------------------------------------------------------------------

    def run(self, rows: pa.Table, side: int) -> Run:
        """A tick's rows, made ready to be looked for."""
        if not rows.num_rows:
            return Run.none()
        run = self._keys.run(rows, self._columns[side], int64s(rows, TS))
        void = _null(rows, self._nulls[side])
        if void is not None:
            run = replace(run, codes=np.where(void[run.rows], -1, run.codes)).sorted()
        return replace(run, marks=tuple(mark[run.rows] for mark in self._marks(rows, side)))

    def _marks(self, rows: pa.Table, side: int) -> Iterator[Mark]:
        """What the rows are compared by: for ``<>``, for the other operators, in formulas.

        The last ones say of rows of both sides as which of them a NULL keeps them from matching.
        """
        for values, pair in zip(self._values, self._band.unequal, strict=True):
            yield values.of_rows(rows, (pair[side],)).astype(np.int32)
        for left, _, right in self._band.ordered:
            yield sortable(rows.column((left, right)[side]))
        for name in self._read[side]:
            yield doubles_of(rows.column(name))
        for names in self._own_nulls:
            null = _null(rows, names)
            self._any_own = self._any_own or null is not None
            yield np.zeros(rows.num_rows, dtype=np.bool_) if null is None else null

    # -- pairs ------------------------------------------------------------------------------------------------------

    def pairs(self, left: Side, right: Side, new: tuple[Run, Run]) -> Pairs:
        """The left rows and the right rows of all pairs that have a new row.

        Raises:
            EvaluationError: the condition cannot be computed for some pair.
        """
        near = self._near_itself(left, new[0].keyed()) if left is right else self._near(left, right, new)
        passing = (self._passing(*some, left, right) for some in gathered(near, PAIRS_AT_ONCE))
        return joined(list(passing if self._rest is None else self._rest.passing(passing, left, right)))

    def _near(self, left: Side, right: Side, new: tuple[Run, Run]) -> Iterator[Pairs]:
        """The pairs with a new row that are near, and different where they should be."""
        band, (new_left, new_right) = self._band, (run.keyed() for run in new)
        if len(new_left) and len(new_right):
            yield from self._new(new_left, new_right)
        yield from self._known(new_left, right, -band.high_us, -band.low_us)
        for one, other in self._known(new_right, left, band.low_us, band.high_us):
            yield other, one

    def _near_itself(self, both: Side, new: Run) -> Iterator[Pairs]:
        """The same of one input, which is compared by the same columns as a left and as a right one."""
        band = self._band
        scale = Scale([new.times], len(self._keys), band.reach_us)
        if not (scale.even and band.around):
            yield from self._near(both, both, (new, new))
            return
        folded = scale.fold(new.codes, new.times)
        among = neighbours(folded, band.reach_us, new.marks[: len(band.unequal)])
        pairs = ((new.rows[one], new.rows[other]) for one, other in among)
        for one, other in chain(pairs, self._known(new, both, -band.reach_us, band.reach_us)):
            yield one, other
            yield other, one
        if band.low_us <= 0 <= band.high_us and not band.unequal:
            yield new.rows, new.rows

    def _known(self, new: Run, side: Side, low_us: int, high_us: int) -> Iterator[Pairs]:
        """New rows with those of before that are so far from them in time."""
        index = side.index
        if not len(new) or not len(index):
            return
        within = new.times <= index.latest_us - low_us
        if not within.all():  # most rows of a big tick meet none of before
            new = new.at(within)
        first, sizes = index.between(new.codes, moved(new.times, low_us), moved(new.times, high_us))
        count = len(self._band.unequal)
        for one, places in expanded(np.arange(len(new)), first, sizes):
            one, other = _different(one, index.rows[places], new.marks[:count], side.marks[:count])
            yield new.rows[one], other

    def _new(self, left: Run, right: Run) -> Iterator[Pairs]:
        """New rows of one side with those of the other."""
        band, sizes = self._band, (len(left), len(right))
        scale = Scale([left.times, right.times], len(self._keys), band.reach_us)
        folded = [scale.fold(run.codes, run.times) for run in (left, right)]
        if scale.even and band.around and max(sizes) < _ALIKE * min(sizes):
            yield from self._merged(left, right, folded)
            return
        if sizes[0] <= sizes[1]:
            near = candidates(left, folded[1], scale, -band.high_us, -band.low_us)
        else:
            turned = candidates(right, folded[0], scale, band.low_us, band.high_us)
            near = ((one, other) for other, one in turned)
        count = len(band.unequal)
        for one, other in near:
            one, other = _different(one, other, left.marks[:count], right.marks[:count])
            yield left.rows[one], right.rows[other]

    def _merged(self, left: Run, right: Run, folded: list[Int64s]) -> Iterator[Pairs]:
        """Both as one run, of which neighbours from different sides are pairs."""
        band, before = self._band, len(left)
        both = np.concatenate(folded)
        order = np.argsort(both, kind="stable")
        is_right = order >= before
        pairs = zip(left.marks[: len(band.unequal)], right.marks[: len(band.unequal)], strict=True)
        marks = [np.concatenate(pair)[order] for pair in pairs]
        rows = np.concatenate((left.rows, right.rows))[order]
        for one, other in neighbours(both[order], band.reach_us, [is_right, *marks]):
            turned = is_right[one]
            yield rows[np.where(turned, other, one)], rows[np.where(turned, one, other)]

    def _passing(self, one: Int64s, other: Int64s, left: Side, right: Side) -> Pairs:
        """Of pairs of rows that are near, and different where they should be, those that match."""
        band = self._band
        if -band.low_us != band.high_us:
            apart = left.times[one] - right.times[other]
            one, other = _those((apart >= band.low_us) & (apart <= band.high_us), one, other)
        left_marks, right_marks = left.marks, right.marks
        if self._any_own:
            one, other = _those(~(left_marks[-2][one] | right_marks[-1][other]), one, other)
        first = len(band.unequal)
        for place, (_, sign, _) in enumerate(band.ordered, first):
            one, other = _those(_OPERATORS[sign](left_marks[place][one], right_marks[place][other]), one, other)
        for formula, reads in self._formulas:
            sides = (left_marks, one), (right_marks, other)
            gathered_values = {value: sides[value.side][0][at][sides[value.side][1]] for value, at in reads}
            one, other = _those(holds(formula, gathered_values), one, other)
        return one, other

    # -- time -------------------------------------------------------------------------------------------------------

    def settled(self, left: Side, right: Side, new: tuple[Run, Run]) -> None:
        """A tick is over: rows to come may match its rows; what is of no use goes, keys that no row has with it."""
        sides = [left] if left is right else [left, right]
        for side, run in zip(sides, new, strict=False):
            if len(run):
                side.index.add(run.keyed().since(side.index.least_us))
        if sum(side.sweep() for side in sides):
            self._forget(sides)

    def _forget(self, sides: list[Side]) -> None:
        """Forget keys, and values that ``<>`` compares, that no row has."""
        if len(self._keys) > _UNUSED_KEYS + 2 * sum(len(side.index) for side in sides):
            codes = self._keys.keep(np.unique(np.concatenate([side.index.entries()[1] for side in sides])))
            for side in sides:
                side.index.keep(codes=codes)
        sides = [side for side in sides if side.count]
        for place, values in enumerate(self._values):
            if len(values) > _UNUSED_KEYS + 2 * sum(side.count for side in sides):
                nothing = np.empty(0, dtype=np.int64)
                used = np.unique(np.concatenate([nothing, *(side.marks[place] for side in sides)]))
                numbers = values.keep(used[used >= 0])
                for side in sides:
                    side.remark(place, numbers)

    @property
    def nbytes(self) -> int:
        """Bytes of the keys that are known."""
        return sum(numbers.nbytes for numbers in (self._keys, *self._values))


def _null(rows: pa.Table, names: Collection[str]) -> Bools | None:
    """The rows that have a NULL in one of these columns; None when there are none."""
    found = None
    for name in names:
        column = rows.column(name)
        if column.null_count:
            null = ~valid_in(column)
            found = null if found is None else found | null
    return found


def _different(one: Int64s, other: Int64s, left: tuple[Mark, ...], right: Any) -> Pairs:
    """The pairs whose marks differ, each from its counterpart."""
    for a, b in zip(left, right, strict=True):
        one, other = _those(a[one] != b[other], one, other)
    return one, other


def _those(fits: npt.NDArray[np.bool_], one: Int64s, other: Int64s) -> Pairs:
    """The pairs that fit."""
    places = fits.nonzero()[0]
    return one[places], other[places]
