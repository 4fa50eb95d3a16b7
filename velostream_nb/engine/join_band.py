"""The pairs of an interval join by binary searches over (key, time), with plain comparisons in numpy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import TS
from velostream_nb.engine.bands import Mark, Pairs, Run, Scale, candidates, neighbours, run_of
from velostream_nb.engine.delta import Int64s, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.formulas import doubles_of, holds, is_exact
from velostream_nb.engine.join_keys import Numbers, comparable, has_order, sortable
from velostream_nb.engine.join_rest import Rest, joined
from velostream_nb.engine.join_side import Arrived, Bools, Side
from velostream_nb.sql import plan
from velostream_nb.sql.formulas import Formula
from velostream_nb.sql.join_parts import Part, parts_of

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


@dataclass(frozen=True, slots=True)
class Band:
    """A condition as far as sorted arrays can answer it.

    Attributes:
        low_us, high_us: of the left time less the right one.
        keys: (left column, right column, type of the comparison).
        unequal: the same for ``<>``.
        ordered: (left column, operator, right column) of other comparisons.
        formulas: comparisons of arithmetic.
        times: (left column, right column): event times, which match nothing where they are NULL.
        rest: the remaining parts.
    """

    low_us: int
    high_us: int
    keys: tuple[tuple[str, str, pa.DataType], ...]
    unequal: tuple[tuple[str, str, pa.DataType], ...]
    ordered: tuple[tuple[str, str, str], ...]
    formulas: tuple[Formula, ...]
    times: tuple[tuple[str, str], ...]
    rest: tuple[Part, ...]

    @property
    def reach_us(self) -> int:
        """How far apart the times of a pair may be."""
        return max(abs(self.low_us), abs(self.high_us))

    @property
    def around(self) -> bool:
        """Do most rows that are near enough in time fit?"""
        return 2 * (self.high_us - self.low_us) >= self.reach_us

    @property
    def mirrored(self) -> bool:
        """Are the sides compared by the same columns?"""
        pairs = *self.keys, *self.unequal, *((a, b) for a, _, b in self.ordered), *self.times
        return all(pair[0] == pair[1] for pair in pairs)

    def read(self, side: int) -> tuple[str, ...]:
        """Columns of a side that formulas read; of both where the sides are mirrored."""
        found = [v.column for f in self.formulas for v in f.values() if v.side == side or self.mirrored]
        return tuple(sorted(set(found)))

    def compared(self, side: int) -> set[str]:
        """Columns of a side whose NULLs match nothing; besides the keys."""
        pairs = [(a, b) for a, b, _ in self.unequal] + [(a, b) for a, _, b in self.ordered] + list(self.times)
        return {pair[side] for pair in pairs} | {
            value.column for formula in self.formulas for value in formula.values() if value.side == side
        }


def band_of(node: plan.IntervalJoin, left: pa.Schema, right: pa.Schema) -> Band | None:
    """The condition as a band; None where DuckDB's ``=`` may be another one, or finds matches with less work."""
    parts = parts_of(node)
    if parts is None or any(part.computed for part in parts):
        return None
    low, high = [node.low_us], [node.high_us]
    keys, unequal, ordered, formulas, times, rest = [], [], [], [], [], []
    for part in parts:
        if part.bounds and (part.times is None or _are_times(left, right, *part.times)):
            low += [part.low_us] if part.low_us is not None else []
            high += [part.high_us] if part.high_us is not None else []
            times += [part.times] if part.times is not None else []
            continue
        if part.compared is None:
            if part.formula is not None and is_exact(part.formula, (left, right)):
                formulas.append(part.formula)
            else:
                rest.append(part)
            continue
        a, sign, b = part.compared
        one, other = left.field(a).type, right.field(b).type
        kind = comparable(one, other)
        if sign == "=":
            if kind is None:
                return None
            keys.append((a, b, kind))
        elif sign == "<>" and kind is not None:
            unequal.append((a, b, kind))
        elif sign != "<>" and has_order(one, other):
            ordered.append((a, sign, b))
        else:
            rest.append(part)
    known = tuple(keys), tuple(unequal), tuple(ordered), tuple(formulas), tuple(times)
    return Band(max(low), min(high), *known, tuple(rest))


def _are_times(left: pa.Schema, right: pa.Schema, one: str, other: str) -> bool:
    """Is event time all that these columns hold?"""
    kind = left.field(one).type
    return bool(kind == right.field(other).type) and pa.types.is_timestamp(kind) and kind.unit == "us"


class _Folded(NamedTuple):
    """A run, and its rows as numbers of one `Scale`."""

    run: Run
    numbers: Int64s


class Banded:
    """Finds pairs."""

    def __init__(self, node: plan.IntervalJoin, duck: Duck, left: pa.Schema, right: pa.Schema, band: Band) -> None:
        self._band = band
        self._columns = tuple(tuple(pair[side] for pair in band.keys) for side in (0, 1))
        self._keys = Numbers([kind for *_, kind in band.keys])
        self._values = [Numbers([kind]) for *_, kind in band.unequal]
        self._rest = Rest(node, duck, left, right, band.rest) if band.rest else None
        self._read = band.read(0), band.read(1)
        self._formulas = [(f, [(v, self._read[v.side].index(v.column)) for v in f.values()]) for f in band.formulas]
        self._mirrored = False

    # -- rows -------------------------------------------------------------------------------------------------------

    def arrived(self, rows: tuple[pa.Table, pa.Table]) -> tuple[Arrived, Arrived]:
        """A tick's rows, made ready to be looked for."""
        left = self._arrived(rows[0], 0)
        self._mirrored = rows[0] is rows[1] and self._band.mirrored
        if any(rows[0].column(name).null_count for name in self._band.read(0)):
            self._mirrored = False  # a row may be in order for one side alone
        return left, (left if self._mirrored else self._arrived(rows[1], 1))

    def _arrived(self, rows: pa.Table, side: int) -> Arrived:
        if not rows.num_rows:
            return Arrived(rows, Run.none())
        run = run_of(*self._keys.partitions(rows, self._columns[side]), int64s(rows, TS))
        void = self._void(rows, side)
        if void is not None:
            run = replace(run, codes=np.where(void[run.rows], -1, run.codes)).sorted()
        marks = tuple(mark[run.rows] for mark in self._marks(rows, side))
        return Arrived(rows, Run(run.rows, run.codes, run.times, marks))

    def _void(self, rows: pa.Table, side: int) -> Bools | None:
        """Rows that match nothing because a column they are compared by is NULL."""
        void = None
        for name in self._band.compared(side):
            column = rows.column(name)
            if column.null_count:
                null = np.asarray(column.is_null().to_numpy(), dtype=np.bool_)
                void = null if void is None else void | null
        return void

    def _marks(self, rows: pa.Table, side: int) -> list[Mark]:
        """What the rows are compared by: for ``<>``, for the other operators, in formulas."""
        unequal = zip(self._values, self._band.unequal, strict=True)
        found: list[Mark] = [values.of_rows(rows, (pair[side],)).astype(np.int32) for values, pair in unequal]
        found += [sortable(rows.column((left, right)[side])) for left, _, right in self._band.ordered]
        return [*found, *(doubles_of(rows.column(name)) for name in self._read[side])]

    # -- pairs ------------------------------------------------------------------------------------------------------

    def pairs(self, left: Side, right: Side) -> Pairs:
        """Numbers of the left rows and of the right rows of all pairs that have a new row.

        Raises:
            EvaluationError: the condition cannot be computed for some pair.
        """
        near = self._near(left, right)
        return joined(list(near if self._rest is None else self._rest.passing(near, left, right)))

    def _near(self, left: Side, right: Side) -> Iterator[Pairs]:
        """The pairs of which the band says that they match."""
        band = self._band
        runs = [run.keyed() for run in (left.new, left.old, right.new, right.old)]
        scale = Scale([run.times for run in runs], len(self._keys), band.reach_us)
        new_left, old_left, new_right, old_right = (_Folded(run, scale.fold(run.codes, run.times)) for run in runs)
        if self._mirrored and scale.even and band.around:
            yield from self._among(new_left, new_right.run.rows)
        else:
            yield from self._between(new_left, new_right, scale)
        yield from self._between(new_left, old_right, scale)
        yield from self._between(old_left, new_right, scale)

    def _among(self, both: _Folded, right_rows: Int64s) -> Iterator[Pairs]:
        """Pairs of rows that are left rows and right rows at once."""
        band, run = self._band, both.run
        for one, other in neighbours(both.numbers, band.reach_us, run.marks[: len(band.unequal)]):
            for pair in ((one, other), (other, one)):
                left, right = self._checked(*pair, run, run)
                yield run.rows[left], right_rows[right]
        if band.low_us <= 0 <= band.high_us and not band.unequal:
            each = np.arange(len(run))
            left, right = self._compared(each, each, run, run)
            yield run.rows[left], right_rows[right]

    def _between(self, left: _Folded, right: _Folded, scale: Scale) -> Iterator[Pairs]:
        """Pairs of a row of each."""
        band = self._band
        sizes = len(left.run), len(right.run)
        if not min(sizes):
            return
        if scale.even and band.around and max(sizes) < _ALIKE * min(sizes):
            pairs = self._merged(left, right)
        elif sizes[0] <= sizes[1]:
            near = candidates(left.run, right.numbers, scale, -band.high_us, -band.low_us)
            pairs = self._searched(near, left.run, right.run)
        else:
            turned = candidates(right.run, left.numbers, scale, band.low_us, band.high_us)
            pairs = self._searched(((one, other) for other, one in turned), left.run, right.run)
        for one, other in pairs:
            yield left.run.rows[one], right.run.rows[other]

    def _searched(self, pairs: Iterator[Pairs], left: Run, right: Run) -> Iterator[Pairs]:
        """Pairs of rows that are near, as far as they match."""
        unequal = len(self._band.unequal)
        for one, other in pairs:
            for a, b in zip(left.marks[:unequal], right.marks[:unequal], strict=True):
                apart = np.flatnonzero(a[one] != b[other])
                one, other = one[apart], other[apart]
            yield self._compared(one, other, left, right)

    def _merged(self, left: _Folded, right: _Folded) -> Iterator[Pairs]:
        """Both as one run, of which neighbours from different sides are pairs."""
        band, before = self._band, len(left.run)
        folded = np.concatenate((left.numbers, right.numbers))
        order = np.argsort(folded, kind="stable")
        is_right = order >= before
        both = zip(left.run.marks, right.run.marks[: len(band.unequal)], strict=False)
        marks = [np.concatenate(pair)[order] for pair in both]
        for one, other in neighbours(folded[order], band.reach_us, [is_right, *marks]):
            turned = is_right[one]
            first, second = np.where(turned, other, one), np.where(turned, one, other)
            yield self._checked(order[first], order[second] - before, left.run, right.run)

    def _checked(self, one: Int64s, other: Int64s, left: Run, right: Run) -> Pairs:
        """Pairs of near rows, different where they should be, as far as they match."""
        band = self._band
        if -band.low_us != band.high_us:
            apart = left.times[one] - right.times[other]
            fits = np.flatnonzero((apart >= band.low_us) & (apart <= band.high_us))
            one, other = one[fits], other[fits]
        return self._compared(one, other, left, right)

    def _compared(self, one: Int64s, other: Int64s, left: Run, right: Run) -> Pairs:
        """Pairs that pass the comparisons besides ``<>``."""
        band = self._band
        first = len(band.unequal)
        for (_, sign, _), a, b in zip(band.ordered, left.marks[first:], right.marks[first:], strict=False):
            passing = np.flatnonzero(_OPERATORS[sign](a[one], b[other]))
            one, other = one[passing], other[passing]
        first += len(band.ordered)
        for formula, reads in self._formulas:
            sides = (left.marks, one), (right.marks, other)
            gathered = {value: sides[value.side][0][first + at][sides[value.side][1]] for value, at in reads}
            passing = np.flatnonzero(holds(formula, gathered))
            one, other = one[passing], other[passing]
        return one, other

    # -- keys -------------------------------------------------------------------------------------------------------

    def tidied(self, left: Side, right: Side) -> tuple[Side, Side]:
        """The sides after a tick; forgets keys that no row has."""
        left, right = left.swept(), right.swept()
        count = len(left) + len(right)
        if len(self._keys) > _UNUSED_KEYS + 2 * count:
            numbers = self._keys.keep(_used(left.old.codes, right.old.codes))
            left, right = left.renumbered(numbers), right.renumbered(numbers)
        for number, values in enumerate(self._values):
            if len(values) > _UNUSED_KEYS + 2 * count:
                used = _used(*(side.old.marks[number] for side in (left, right) if side.old.marks))
                numbers = values.keep(used)
                left, right = left.remarked(number, numbers), right.remarked(number, numbers)
        return left, right

    @property
    def nbytes(self) -> int:
        """Bytes of the keys that are known."""
        return sum(numbers.nbytes for numbers in (self._keys, *self._values))


def _used(*codes: npt.NDArray[np.integer]) -> Int64s:
    """The numbers that some row has."""
    found = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes]))
    return found[found >= 0]
