"""Pools: values of columns at places that stay theirs, to be read and written many at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.vectors import valid_in, vector
from velostream_nb.engine.arrays import Scalar, array_of, number_type, values_of, whole
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Mask, Values

_FEW = 4096
"""So many leftovers are not worth a sweep."""
_CHUNKS = 64


def pool_of(dtype: pa.DataType) -> Numbers | Others:
    """An empty pool for values of a type."""
    return Others(dtype) if number_type(dtype) is None else Numbers(dtype)


class Numbers:
    """A column of numbers, or of times."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._type = dtype
        self._numbers = np.empty(0, dtype=number_type(dtype))
        self._valid: Mask | None = None  # no value was ever NULL

    def write(self, places: Int64s, column: pa.ChunkedArray) -> None:
        """Put a column's values there."""
        given = values_of(column)
        self._numbers[places] = given.numbers
        if given.valid is not None and self._valid is None:
            self._valid = np.ones(len(self._numbers), dtype=np.bool_)
        if self._valid is not None:
            self._valid[places] = True if given.valid is None else given.valid

    def move(self, source: Int64s, target: Int64s, places: int | None = None) -> None:
        """Copy values from places to others; to others in a pool of so many places, with nothing else in it."""
        self._numbers = _moved(self._numbers, source, target, places)
        if self._valid is not None:
            self._valid = _moved(self._valid, source, target, places)

    def take(self, places: Int64s) -> Values:
        return Values(self._numbers.take(places), None if self._valid is None else self._valid.take(places))

    def known(self, places: Int64s) -> Values:
        """For counting: the values themselves."""
        return self.take(places)

    def array(self, places: Int64s) -> pa.Array:
        return array_of(self.take(places), self._type)

    def tidy(self, live: Callable[[], Int64s]) -> None:
        """Nothing is left over: a value is written where the last one was."""

    @property
    def nbytes(self) -> int:
        return int(self._numbers.nbytes) + (0 if self._valid is None else int(self._valid.nbytes))


class Others:
    """A column of any other type: Arrow values, which stay where they are, and which of them is at each place."""

    def __init__(self, dtype: pa.DataType) -> None:
        self._which = np.empty(0, dtype=np.int64)
        self._type = dtype
        self._chunks = pa.chunked_array([], dtype)
        self._most = _FEW

    def write(self, places: Int64s, column: pa.ChunkedArray) -> None:
        self._which[places] = np.arange(len(self._chunks), len(self._chunks) + len(column))
        chunks = [*self._chunks.chunks, *column.chunks]
        self._chunks = pa.chunked_array(chunks if len(chunks) <= _CHUNKS else [pa.concat_arrays(chunks)], self._type)

    def move(self, source: Int64s, target: Int64s, places: int | None = None) -> None:
        self._which = _moved(self._which, source, target, places)

    def take(self, places: Int64s) -> pa.Array:
        return whole(self._chunks.take(vector(self._which.take(places))))

    def known(self, places: Int64s) -> Values:
        """For counting: which values are NULL; the numbers say nothing."""
        array = self.take(places)
        valid = valid_in(array) if array.null_count else None
        return Values(np.zeros(len(array), dtype=np.int8), valid)

    def array(self, places: Int64s) -> pa.Array:
        return self.take(places)

    def tidy(self, live: Callable[[], Int64s]) -> None:
        """Let go of values that are at no live place, once they are many."""
        if len(self._chunks) <= self._most:
            return
        places = live()
        self._chunks = pa.chunked_array([self.take(places)], self._type)
        self._which[places] = np.arange(len(places))
        self._most = 2 * len(places) + _FEW

    @property
    def nbytes(self) -> int:
        return int(self._which.nbytes) + int(self._chunks.nbytes)


def _moved(values: npt.NDArray[Scalar], source: Int64s, target: Int64s, places: int | None) -> npt.NDArray[Scalar]:
    moving = values.take(source)
    if places is not None:
        values = np.empty(places, dtype=values.dtype)
    values[target] = moving
    return values
