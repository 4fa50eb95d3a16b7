"""Values of groups: as columns, one after another, compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import array_of
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Values, Wide

Final = Values | Wide | npt.NDArray[np.object_]
"""Values of groups: numbers, whole numbers of 128 bits, or texts (None: NULL)."""


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
