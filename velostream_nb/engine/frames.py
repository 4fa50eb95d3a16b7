"""Aggregates over frames: for every row, one value of the rows between two places.

Rows stand partition by partition, in event-time order. A frame is a pair of places [low, high) among them; arrays of
frames are parallel, and an empty one has ``low == high``. Values are exact where DuckDB's are (integers, of which sums
are HUGEINT); a sum of doubles is added up in an order that depends on the frame's rows alone, so that no batching
changes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.delta import Int64s

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.generic]
Scalar = TypeVar("Scalar", bound=np.generic)

_EXACT_IN_DOUBLE = 1 << 53
_ROUNDED_ONCE = 1 << 10
"""A sum below 2^53 divided by a smaller count than this is the same in double as in long double, which DuckDB uses:
the quotient is too far from the middle of two doubles to be rounded onto it by the longer division."""
_LIMB = 32


@dataclass(frozen=True, slots=True)
class Values:
    """A column of numbers, or of times as numbers.

    Attributes:
        numbers: where `valid` is False, anything.
        valid: None when no value is NULL.
    """

    numbers: Numbers
    valid: Mask | None = None

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Wide:
    """Whole numbers of 128 bits, as DuckDB's HUGEINT: ``high * 2^64 + low``; NULL where `valid` is False."""

    high: Int64s
    low: npt.NDArray[np.uint64]
    valid: Mask | None = None

    @classmethod
    def of(cls, numbers: Int64s, valid: Mask | None = None) -> Wide:
        return cls(numbers >> 63, numbers.astype(np.uint64), valid)

    @classmethod
    def of_limbs(cls, high: Int64s, low: Int64s, valid: Mask | None = None) -> Wide:
        """``high * 2^32 + low``, `low` not negative."""
        shifted = high.view(np.uint64) << np.uint64(_LIMB)
        lowest = shifted + low.view(np.uint64)
        return cls((high >> _LIMB) + (lowest < shifted), lowest, valid)

    def __len__(self) -> int:
        return len(self.high)

    def take(self, places: Int64s) -> Wide:
        return Wide(self.high[places], self.low[places], None if self.valid is None else self.valid[places])

    def array(self, dtype: pa.DataType = HUGEINT) -> pa.Array:
        """As a HUGEINT, or a DECIMAL of so many last places."""
        words = np.empty((len(self.high), 2), dtype=np.uint64)
        words[:, 0], words[:, 1] = self.low, self.high.view(np.uint64)
        return pa.Array.from_buffers(dtype, len(words), [bitmap(self.valid), pa.py_buffer(words)])

    def longdoubles(self) -> npt.NDArray[np.longdouble]:
        """As DuckDB converts a HUGEINT."""
        whole = self.low.astype(np.longdouble) + self.high.astype(np.longdouble) * np.longdouble(2.0**64)
        negative = -(~self.low).astype(np.longdouble) - 1
        return np.where(self.high == -1, negative, whole)


def bitmap(valid: Mask | None) -> pa.Buffer | None:
    """A mask as Arrow has it; None when all are valid."""
    return None if valid is None or valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))


def counted(values: Values | None, low: Int64s, high: Int64s) -> Int64s:
    """COUNT: rows (no values) or values that are not NULL."""
    if values is None or values.valid is None:
        return high - low
    before = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values.valid, out=before[1:])
    return before[high] - before[low]


def whole_sums(values: Values, low: Int64s, high: Int64s) -> Wide:
    """SUM of integers; 0 where there is nothing to add."""
    numbers = _or_zero(values)
    if fits(numbers, int((high - low).max(initial=0))):
        # prefix sums may wrap around; the differences do not
        return Wide.of(_between(numbers, low, high))
    upper, lower = limbs(numbers)
    return Wide.of_limbs(_between(upper, low, high), _between(lower, low, high))


def _or_zero(values: Values) -> Int64s:
    numbers = values.numbers.astype(np.int64, copy=False)
    return numbers if values.valid is None else np.where(values.valid, numbers, 0)


def limbs(numbers: Int64s) -> tuple[Int64s, Int64s]:
    """(high, low) with ``high * 2^32 + low`` the number and low in [0, 2^32)."""
    return numbers >> _LIMB, numbers & ((1 << _LIMB) - 1)


def fits(numbers: Int64s, most: int) -> bool:
    """Does the sum of `most` of these numbers surely fit into 64 bits?"""
    return largest(numbers) * most < 1 << 63


def largest(numbers: Int64s) -> int:
    """The greatest absolute value."""
    return max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))


def _between(numbers: Int64s, low: Int64s, high: Int64s) -> Int64s:
    before = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(numbers, out=before[1:])
    return before[high] - before[low]


def real_sums(values: Values, low: Int64s, high: Int64s) -> npt.NDArray[np.float64]:
    """SUM of doubles; 0.0 where there is nothing to add.

    A frame is cut into blocks of 1, 2, 4, … rows, counted from its end, by the bits of its length; a block is the sum
    of its halves.
    """
    block = values.numbers.astype(np.float64, copy=False)
    if values.valid is not None:
        block = np.where(values.valid, block, np.float64(0.0))
    sums = np.zeros(len(low))
    left, at = high - low, high.copy()
    size = 1
    with np.errstate(invalid="ignore", over="ignore"):
        while left.any():
            odd = (left & 1) > 0
            if odd.all():
                sums += block[at - 1]
                at -= size
            elif odd.any():
                some = np.flatnonzero(odd)
                sums[some] += block[at[some] - 1]
                at[some] -= size
            left >>= 1
            block = _doubled(np.add, block, size)
            size *= 2
    return sums


def _doubled(fold: np.ufunc, block: npt.NDArray[Scalar], size: int) -> npt.NDArray[Scalar]:
    """Blocks of `size` rows, by their last row, joined with the block before; the first rows have none."""
    joined = block.copy()
    fold(block[:-size], block[size:], out=joined[size:])
    return joined


def averages(values: Values, low: Int64s, high: Int64s, count: Int64s, scale: int = 0) -> npt.NDArray[np.float64]:
    """AVG; anything where `count` is 0. Whole numbers may be decimals: so many of their digits are decimal places."""
    divisor = np.maximum(count, 1)
    if values.numbers.dtype.kind == "f":
        return real_sums(values, low, high) / divisor
    numbers, most, unit = _or_zero(values), int((high - low).max(initial=0)), 10**scale
    if most * unit < _ROUNDED_ONCE and most * largest(numbers) < _EXACT_IN_DOUBLE:
        return _between(numbers, low, high) / (divisor if unit == 1 else divisor * unit)
    return whole_averages(whole_sums(values, low, high), divisor, scale)


def whole_averages(sums: Wide, count: Int64s, scale: int = 0) -> npt.NDArray[np.float64]:
    """Sums of integers, or of decimals, divided as DuckDB divides them: in long double, then rounded."""
    unit = 10**scale
    narrow = sums.low.view(np.int64)
    small = bool((sums.high == narrow >> 63).all()) and int(count.max(initial=0)) * unit < _ROUNDED_ONCE
    if small and max(int(narrow.max(initial=0)), -int(narrow.min(initial=0))) < _EXACT_IN_DOUBLE:
        quotients: npt.NDArray[np.float64] = narrow / (count * unit)
        return quotients
    with np.errstate(under="ignore"):
        return (sums.longdoubles() / (count.astype(np.longdouble) * np.longdouble(unit))).astype(np.float64)


def extremes(values: Values, low: Int64s, high: Int64s, *, greatest: bool) -> Numbers:
    """MAX or MIN; anything where there is nothing to compare. NaN is greater than every number."""
    block, fold = folded_extremes(values, greatest=greatest)
    found = np.full(len(low), worst(block.dtype, greatest=greatest))
    left = high - low
    size = 1
    with np.errstate(invalid="ignore"):  # a NaN is none
        while left.any():
            some = np.flatnonzero((left >= size) & (left < size * 2))
            if len(some):
                found[some] = fold(block[high[some] - 1], block[low[some] + size - 1])
                left[some] = 0
            block = _doubled(fold, block, size)
            size *= 2
    return found


def folded_extremes(values: Values, *, greatest: bool) -> tuple[Numbers, np.ufunc]:
    """Numbers in which NULL loses every comparison, and the function that compares two."""
    numbers = values.numbers
    if values.valid is not None:
        numbers = np.where(values.valid, numbers, worst(numbers.dtype, greatest=greatest))
    return numbers, np.maximum if greatest else np.fmin


def worst(dtype: np.dtype[np.generic], *, greatest: bool) -> np.generic:
    """What loses every comparison: the value that MAX, or MIN, begins with."""
    if dtype.kind == "f":
        return dtype.type(-np.inf if greatest else np.nan)
    limits = np.iinfo(dtype)  # type: ignore[type-var]  # integers are the other kind of numbers
    return dtype.type(limits.min if greatest else limits.max)
