"""Tallies: what COUNT, SUM, AVG, MIN and MAX come to so far, one number or two a group.

Groups are numbered from 0 on. Rows are added one after another in the order they come, so that a sum of doubles is the
same however the rows are split into batches; sums of integers are exact, as DuckDB's are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.vectors import integers_in, numbers_in, vector
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.finals import Final
from velostream_nb.engine.frames import Numbers, Values, Wide, limbs, whole_averages, worst
from velostream_nb.engine.numbering import with_room

_LIMB = 32
_LOW = (1 << _LIMB) - 1
_TEXT_BYTES = 64
"""About what a text takes in Python."""
_ROOM = 1 << 62
"""The low part of a sum is carried over into the high one before it can get there."""


@dataclass(slots=True)
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
        self._begin = {name: (np.dtype(dtype), begin) for name, (dtype, begin) in parts.items()}
        self.parts = self._fresh(0)

    def _fresh(self, groups: int) -> dict[str, npt.NDArray[Any]]:
        return {
            name: np.zeros(groups, dtype) if begin == 0 else np.full(groups, begin, dtype)
            for name, (dtype, begin) in self._begin.items()
        }

    def begun(self, groups: int) -> Self:
        """Another tally of the same kind, of so many groups without rows."""
        found = object.__new__(type(self))
        found.__dict__ |= self.__dict__
        found.parts = self._fresh(groups)
        return found

    def grow(self, groups: int) -> None:
        """Make room for so many groups."""
        self.parts = {name: with_room(part, groups, self._begin[name][1]) for name, part in self.parts.items()}

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


def furthest(numbers: Int64s) -> int:
    """How far from 0 the furthest number is; 0 when there is none."""
    return max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))


def _part(column: pa.ChunkedArray, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """An array of its own: what Arrow holds must not change."""
    return np.array(column.to_pylist() if dtype.kind == "O" else numbers_in(column), dtype=dtype)


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


class LimbSum(Tally):
    """SUM or AVG of whole numbers in several parts, some of which are carried over before they become too large.

    Args:
        limbs: names of the parts of a sum; 'n' counts.
    """

    def __init__(self, limbs: Sequence[str], *, average: bool) -> None:
        super().__init__({"n": (np.int64, 0), **dict.fromkeys(limbs, (np.int64, 0))})
        self._average = average
        self._most = 0
        """No part that is carried over is further from 0."""

    @abstractmethod
    def _measure(self) -> None:
        """Find out anew how large parts are."""

    def keep(self, groups: Int64s) -> None:
        super().keep(groups)
        self._measure()

    def load(self, parts: Mapping[str, pa.ChunkedArray]) -> None:
        super().load(parts)
        self._measure()


class WholeSum(LimbSum):
    """SUM or AVG of integers: ``high * 2^32 + low``."""

    def __init__(self, *, average: bool) -> None:
        super().__init__(("high", "low"), average=average)
        self._is_carried = False
        """A high part may be other than 0."""

    def add(self, rows: Chosen) -> None:
        assert isinstance(rows.numbers, np.ndarray)
        if not len(rows.groups):
            return
        np.add.at(self.parts["n"], rows.groups, rows.once)
        numbers = rows.numbers.astype(np.int64, copy=False)
        heaviest = 1 if rows.weights is None else max(1, int(np.abs(rows.weights).max()))
        most = furthest(numbers) * heaviest * len(numbers)
        if 2 * most < _ROOM:
            self._add_low(rows.groups, numbers if rows.weights is None else numbers * rows.weights, most)
            return
        high, low = limbs(numbers)
        np.add.at(self.parts["high"], rows.groups, high * rows.once)
        self._is_carried = True
        self._add_low(rows.groups, low * rows.once, heaviest * len(low) << _LIMB)

    def _add_low(self, groups: Int64s, numbers: Int64s, most: int) -> None:
        """Add to low parts, to each `most` at most; carry over first, once that might be too much for one of them."""
        if self._most + most >= _ROOM:
            low = self.parts["low"]
            self.parts["high"] += low >> _LIMB
            low &= _LOW
            self._most, self._is_carried = _LOW, True
        self._most += most
        np.add.at(self.parts["low"], groups, numbers)

    def _measure(self) -> None:
        self._most = furthest(self.parts["low"])
        self._is_carried = bool(self.parts["high"].any())

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        assert isinstance(other, WholeSum)
        np.add.at(self.parts["n"], groups, other.parts["n"][places])
        low, most = other.parts["low"][places], other._most * len(places)
        if other._is_carried or 2 * most >= _ROOM:
            np.add.at(self.parts["high"], groups, other.parts["high"][places] + (low >> _LIMB))
            self._is_carried = True
            low, most = low & _LOW, len(low) << _LIMB
        self._add_low(groups, low, most)

    def final(self, groups: Int64s) -> Final:
        count, high, low = (self.parts[name][groups] for name in ("n", "high", "low"))
        valid = count != 0
        sums = Wide.of_limbs(high + (low >> _LIMB), low & _LOW, valid) if self._is_carried else Wide.of(low, valid)
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
            ranks = integers_in(pc.index_in(encoded.dictionary, texts))
            self._compare(rows.groups, ranks[integers_in(encoded.indices)], texts)

    def _compare(self, groups: Int64s, ranks: Int64s, texts: pa.Array) -> None:
        """`texts`: in their order, by rank."""
        touched, local = np.unique(groups, return_inverse=True)
        best = np.full(len(touched), -1 if self._greatest else len(texts), dtype=np.int64)
        (np.maximum if self._greatest else np.minimum).at(best, local, ranks)
        held = self.parts["best"]
        for group, text in zip(touched.tolist(), texts.take(vector(best)).to_pylist(), strict=True):
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
