"""Tallies: what COUNT, SUM, AVG, MIN and MAX come to so far, one number or two a group.

Groups are numbered from 0 on. Rows are added one after another in the order they come, so that a sum of doubles is the
same however the rows are split into batches; sums of integers are exact, as DuckDB's are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.arrays import array_of, number_type
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Numbers, Values, Wide, fits, limbs, whole_averages, worst
from velostream_nb.engine.numbering import with_room
from velostream_nb.sql import plan

_LIMB = 32
_TEXT_BYTES = 64
"""About what a text takes in Python."""
_ROOM = 1 << 62
"""The low part of a sum is carried over into the high one before it can get there."""

Final = Values | Wide | npt.NDArray[np.object_]
"""Values of groups: numbers, whole numbers of 128 bits, or texts (None: NULL)."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that an aggregate takes: those that its FILTER lets through and whose argument is not NULL.

    Attributes:
        groups: the group of each.
        numbers: the argument; None when it does not matter.
        weights: how often each row comes, or goes; None: once.
    """

    groups: Int64s
    numbers: Numbers | pa.Array | None
    weights: Int64s | None = None

    @property
    def once(self) -> Int64s | int:
        return 1 if self.weights is None else self.weights


class Tally(ABC):
    """One aggregate's arrays, by group.

    Args:
        parts: for each array its type and what it begins with.

    Attributes:
        takes_back: rows may go again (`Chosen.weights`).
    """

    takes_back = True

    def __init__(self, parts: Mapping[str, tuple[npt.DTypeLike, object]]) -> None:
        self._begin = {name: begin for name, (_, begin) in parts.items()}
        self.parts = {name: np.empty(0, dtype=dtype) for name, (dtype, _) in parts.items()}

    def empty(self) -> Self:
        """Another tally of the same kind, of no groups."""
        found = copy(self)
        found.parts = {name: part[:0] for name, part in self.parts.items()}
        return found

    def grow(self, groups: int) -> None:
        """Make room for so many groups."""
        self.parts = {name: with_room(part, groups, self._begin[name]) for name, part in self.parts.items()}

    def keep(self, groups: Int64s) -> None:
        """Forget all the others; these are numbered anew, in this order."""
        self.parts = {name: part[groups] for name, part in self.parts.items()}

    @abstractmethod
    def add(self, rows: Chosen) -> None:
        """Take rows in."""

    @abstractmethod
    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        """Take in what another tally of the same kind has at some places, each into one of our groups."""

    @abstractmethod
    def final(self, groups: Int64s) -> Final:
        """The aggregate's values."""

    def load(self, parts: Mapping[str, pa.ChunkedArray]) -> None:
        """Take `parts` back from a snapshot."""
        self.parts = {name: _part(parts[name], part.dtype) for name, part in self.parts.items()}

    @property
    def row_bytes(self) -> int:
        """What a group takes."""
        return sum(part.itemsize for part in self.parts.values())


def _part(column: pa.ChunkedArray, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """An array of its own: what Arrow holds must not change."""
    return np.array(column.to_pylist() if dtype.kind == "O" else column.to_numpy(), dtype=dtype)


class Count(Tally):
    """COUNT."""

    def __init__(self) -> None:
        super().__init__({"n": (np.int64, 0)})

    def add(self, rows: Chosen) -> None:
        np.add.at(self.parts["n"], rows.groups, rows.once)

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        np.add.at(self.parts["n"], groups, other.parts["n"][places])

    def final(self, groups: Int64s) -> Final:
        return Values(self.parts["n"][groups])


class WholeSum(Tally):
    """SUM or AVG of integers: ``high * 2^32 + low``."""

    def __init__(self, *, average: bool) -> None:
        super().__init__({"n": (np.int64, 0), "high": (np.int64, 0), "low": (np.int64, 0)})
        self._average = average
        self._most = 0
        """No low part is further from 0."""

    def add(self, rows: Chosen) -> None:
        assert isinstance(rows.numbers, np.ndarray)
        if not len(rows.groups):
            return
        np.add.at(self.parts["n"], rows.groups, rows.once)
        numbers = rows.numbers.astype(np.int64, copy=False)
        heaviest = 1 if rows.weights is None else max(1, int(np.abs(rows.weights).max()))
        if fits(numbers, len(numbers) * heaviest * 2):
            self._add_low(rows.groups, numbers * rows.weights if rows.weights is not None else numbers)
            return
        high, low = limbs(numbers)
        np.add.at(self.parts["high"], rows.groups, high * rows.once)
        self._add_low(rows.groups, low * rows.once)

    def _add_low(self, groups: Int64s, numbers: Int64s) -> None:
        self._make_room(max(int(numbers.max()), -int(numbers.min())) * len(numbers))
        np.add.at(self.parts["low"], groups, numbers)

    def _make_room(self, more: int) -> None:
        """Carry low parts over, once adding `more` to one of them might be too much."""
        if self._most + more >= _ROOM:
            low = self.parts["low"]
            self.parts["high"] += low >> _LIMB
            low &= (1 << _LIMB) - 1
            self._most = 1 << _LIMB
        self._most += more

    def keep(self, groups: Int64s) -> None:
        super().keep(groups)
        self._measure()

    def load(self, parts: Mapping[str, pa.ChunkedArray]) -> None:
        super().load(parts)
        self._measure()

    def _measure(self) -> None:
        low = self.parts["low"]
        self._most = max(int(low.max(initial=0)), -int(low.min(initial=0)))

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        np.add.at(self.parts["n"], groups, other.parts["n"][places])
        low = other.parts["low"][places]
        np.add.at(self.parts["high"], groups, other.parts["high"][places] + (low >> _LIMB))
        self._make_room(len(low) << _LIMB)
        np.add.at(self.parts["low"], groups, low & ((1 << _LIMB) - 1))

    def final(self, groups: Int64s) -> Final:
        count, high, low = (self.parts[name][groups] for name in ("n", "high", "low"))
        valid = count != 0
        if not high.any():
            sums = Wide.of(low, valid)
        else:
            sums = Wide.of_limbs(high + (low >> _LIMB), low & ((1 << _LIMB) - 1), valid)
        return Values(whole_averages(sums, np.maximum(count, 1)), valid) if self._average else sums


class RealSum(Tally):
    """SUM or AVG of doubles. What is added cannot be taken back exactly."""

    takes_back = False

    def __init__(self, *, average: bool) -> None:
        super().__init__({"n": (np.int64, 0), "sum": (np.float64, 0.0)})
        self._average = average

    def add(self, rows: Chosen) -> None:
        assert isinstance(rows.numbers, np.ndarray)
        np.add.at(self.parts["n"], rows.groups, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            np.add.at(self.parts["sum"], rows.groups, rows.numbers.astype(np.float64, copy=False))

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        np.add.at(self.parts["n"], groups, other.parts["n"][places])
        with np.errstate(over="ignore", invalid="ignore"):
            np.add.at(self.parts["sum"], groups, other.parts["sum"][places])

    def final(self, groups: Int64s) -> Final:
        count, sums = self.parts["n"][groups], self.parts["sum"][groups]
        return Values(sums / np.maximum(count, 1) if self._average else sums, count != 0)


class Extreme(Tally):
    """MIN or MAX of numbers or times; NaN is greater than every number."""

    takes_back = False

    def __init__(self, dtype: np.dtype[np.generic], *, greatest: bool) -> None:
        super().__init__({"n": (np.int64, 0), "best": (dtype, worst(dtype, greatest=greatest))})
        self._better = np.maximum if greatest else np.fmin

    def add(self, rows: Chosen) -> None:
        assert isinstance(rows.numbers, np.ndarray)
        np.add.at(self.parts["n"], rows.groups, 1)
        self._compare(rows.groups, rows.numbers)

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        np.add.at(self.parts["n"], groups, other.parts["n"][places])
        self._compare(groups, other.parts["best"][places])

    def _compare(self, groups: Int64s, numbers: Numbers) -> None:
        with np.errstate(invalid="ignore"):  # a NaN is none
            self._better.at(self.parts["best"], groups, numbers)

    def final(self, groups: Int64s) -> Final:
        return Values(self.parts["best"][groups], self.parts["n"][groups] != 0)


class ExtremeText(Tally):
    """MIN or MAX of texts, which Python compares as DuckDB does: by code points."""

    takes_back = False

    def __init__(self, *, greatest: bool) -> None:
        super().__init__({"best": (np.object_, None)})
        self._greatest = greatest

    def add(self, rows: Chosen) -> None:
        if len(rows.groups):
            assert isinstance(rows.numbers, pa.Array)
            encoded = pc.dictionary_encode(rows.numbers)
            texts = encoded.dictionary.take(pc.sort_indices(encoded.dictionary))
            ranks = pc.index_in(encoded.dictionary, texts).to_numpy(zero_copy_only=False)
            self._compare(rows.groups, ranks[encoded.indices.to_numpy(zero_copy_only=False)], texts)

    def _compare(self, groups: Int64s, ranks: Int64s, texts: pa.Array) -> None:
        """`texts`: in their order, by rank."""
        touched, local = np.unique(groups, return_inverse=True)
        best = np.full(len(touched), -1 if self._greatest else len(texts), dtype=np.int64)
        (np.maximum if self._greatest else np.minimum).at(best, local, ranks)
        held = self.parts["best"]
        for group, text in zip(touched.tolist(), texts.take(pa.array(best)).to_pylist(), strict=True):
            known = held[group]
            if known is None or (text > known if self._greatest else text < known):
                held[group] = text

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        theirs = other.parts["best"][places]
        known = np.asarray([text is not None for text in theirs], dtype=np.bool_)
        self.add(Chosen(groups[known], pa.array(theirs[known], pa.string())))

    def final(self, groups: Int64s) -> Final:
        return self.parts["best"][groups]

    @property
    def row_bytes(self) -> int:
        return _TEXT_BYTES


def tally_for(asked: plan.Tally, argument: pa.DataType | None, result: pa.DataType) -> Tally | None:
    """The tally of an aggregate without DISTINCT; None when numbers cannot say what it gives.

    Args:
        argument: type of the argument, None for rows.
        result: type of what DuckDB gives.
    """
    if asked.kind == "count":
        return Count() if result == pa.int64() else None
    if argument is None:
        return None
    number = number_type(argument)
    if asked.kind in ("min", "max"):
        if argument != result or (number is None and not pa.types.is_string(argument)):
            return None
        greatest = asked.kind == "max"
        return ExtremeText(greatest=greatest) if number is None else Extreme(number, greatest=greatest)
    average = asked.kind == "avg"
    whole = pa.types.is_integer(argument) and argument != pa.uint64()
    if whole and result == (pa.float64() if average else HUGEINT):
        return WholeSum(average=average)
    if pa.types.is_floating(argument) and result == pa.float64():
        return RealSum(average=average)
    return None


def as_array(final: Final, dtype: pa.DataType) -> pa.Array:
    """Values of groups as a column."""
    if isinstance(final, Wide):
        return final.array()
    return array_of(final, dtype) if isinstance(final, Values) else pa.array(final, dtype)


def chained(first: Final, places: Int64s, second: Final, more: Int64s) -> Final:
    """Values of the one at some places, then of the other, which is of the same kind."""
    if isinstance(first, Wide):
        assert isinstance(second, Wide)
        high = np.concatenate([first.high[places], second.high[more]])
        return Wide(high, np.concatenate([first.low[places], second.low[more]]), _valid(first, places, second, more))
    if isinstance(first, Values):
        assert isinstance(second, Values)
        numbers = np.concatenate([first.numbers[places], second.numbers[more]])
        return Values(numbers, _valid(first, places, second, more))
    assert isinstance(second, np.ndarray)
    return np.concatenate([first[places], second[more]])


def _valid(first: Values | Wide, places: Int64s, second: Values | Wide, more: Int64s) -> npt.NDArray[np.bool_] | None:
    if first.valid is None or second.valid is None:  # a count is never NULL
        return None
    return np.concatenate([first.valid[places], second.valid[more]])


def differ(before: Final, after: Final) -> npt.NDArray[np.bool_]:
    """Where values are not the same; NULL is NULL and NaN is NaN."""
    if isinstance(before, Wide):
        assert isinstance(after, Wide)
        unequal = (before.high != after.high) | (before.low != after.low)
        return _with_nulls(unequal, before.valid, after.valid)
    if isinstance(before, Values):
        assert isinstance(after, Values)
        unequal = before.numbers != after.numbers
        if before.numbers.dtype.kind == "f":
            unequal &= (before.numbers == before.numbers) | (after.numbers == after.numbers)
        return _with_nulls(unequal, before.valid, after.valid)
    return np.asarray(before != after, dtype=np.bool_)


def _with_nulls(
    unequal: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_] | None, after: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.bool_]:
    if before is None or after is None:
        return unequal
    found: npt.NDArray[np.bool_] = (before != after) | (unequal & before & after)
    return found
