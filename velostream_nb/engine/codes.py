"""Rows by partition: numbers for keys, and the order that puts equal keys together.

Jobs that partition one batch by the same columns would each number and sort the same keys. What has been computed is
remembered by the memory that the columns stand in, so that operators share it without knowing of each other.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.identity import combined, identity
from velostream_nb.core.memo import Memo

Int64s = npt.NDArray[np.int64]


class Parted:
    """The partition of every row of a batch. Arrays are shared between operators and read-only.

    Attributes:
        codes: a number a row, equal where the keys are (NULL equals NULL); of this batch alone.
    """

    def __init__(self, codes: Int64s) -> None:
        self.codes = _frozen(codes)

    @cached_property
    def order(self) -> Int64s:
        """The rows partition by partition, each in the order given."""
        if not self.codes.any():  # one partition at most
            return _frozen(np.arange(len(self.codes)))
        return _frozen(np.argsort(self._narrow, kind="stable"))

    @cached_property
    def starts(self) -> Int64s:
        """Where in `order` each partition begins."""
        ordered = self._narrow[self.order]
        first = np.ones(len(ordered), dtype=np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        return _frozen(np.flatnonzero(first))

    @cached_property
    def sizes(self) -> Int64s:
        """Rows in each partition."""
        stops = np.empty_like(self.starts)
        stops[:-1], stops[-1:] = self.starts[1:], len(self.codes)
        return _frozen(stops - self.starts)

    @cached_property
    def _narrow(self) -> npt.NDArray[np.integer]:
        return narrow(self.codes)


def parted(table: pa.Table, columns: tuple[str, ...]) -> Parted:
    """The rows of a table by the values of these columns; all in one partition when there are none."""
    if not columns:
        return Parted(np.zeros(table.num_rows, dtype=np.int64))
    arrays = [table.column(name) for name in columns]
    place = tuple(_place(array) for array in arrays)

    def computed() -> Parted:
        codes, _ = combined((_numbered(array) for array in arrays), table.num_rows)
        return Parted(codes)

    return _PARTED.of(place, computed, arrays, table.num_rows)


def forget() -> None:
    """Let go of all that is remembered, and of the batches that it was computed from."""
    _PARTED.clear()
    _NUMBERED.clear()


def _numbered(array: pa.ChunkedArray) -> tuple[Int64s, int]:
    def computed() -> tuple[Int64s, int]:
        codes, most = identity(array)
        return _frozen(codes), most

    return _NUMBERED.of(_place(array), computed, array, len(array))


def narrow(codes: Int64s) -> npt.NDArray[np.integer]:
    """The same numbers in as few bits as they need: numpy sorts 8 and 16 bits by radix."""
    most = codes.max(initial=0)
    if most >= 1 << 16:
        return codes
    return codes.astype(np.uint8 if most < 1 << 8 else np.uint16)


def _place(array: pa.ChunkedArray) -> tuple[Hashable, ...]:
    """Where a column stands in memory: as long as somebody holds it, nothing else is there."""
    parts: list[Hashable] = [array.type]
    for chunk in array.chunks:
        buffers = tuple(0 if buffer is None else buffer.address for buffer in chunk.buffers())
        if isinstance(chunk, pa.DictionaryArray):
            buffers += tuple(0 if buffer is None else buffer.address for buffer in chunk.dictionary.buffers())
        parts.append((buffers, chunk.offset, len(chunk)))
    return tuple(parts)


_PARTED: Memo[Parted] = Memo(entries=32, rows=1 << 20)
_NUMBERED: Memo[tuple[Int64s, int]] = Memo(entries=32, rows=1 << 20)
"""Some 20 MB at most, both together."""


def _frozen(numbers: Int64s) -> Int64s:
    numbers.flags.writeable = False
    return numbers
