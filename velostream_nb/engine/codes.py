"""Rows by partition: numbers for keys of any type, and the order that puts equal keys together."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.identity import combined, identity
from velostream_nb.engine.shared import Shared, frozen
from velostream_nb.engine.shared import forget as forget

Int64s = npt.NDArray[np.int64]


class Parted:
    """The partition of every row of a batch. Arrays are shared between operators and read-only.

    Attributes:
        codes: a number a row, equal where the keys are (NULL equals NULL); of this batch alone.
    """

    def __init__(self, codes: Int64s) -> None:
        self.codes = frozen(codes)

    @cached_property
    def order(self) -> Int64s:
        """The rows partition by partition, each in the order given."""
        if not self.codes.any():  # one partition at most
            return frozen(np.arange(len(self.codes)))
        return frozen(np.argsort(self._narrow, kind="stable"))

    @cached_property
    def starts(self) -> Int64s:
        """Where in `order` each partition begins."""
        ordered = self._narrow[self.order]
        first = np.ones(len(ordered), dtype=np.bool_)
        np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
        return frozen(np.flatnonzero(first))

    @cached_property
    def sizes(self) -> Int64s:
        """Rows in each partition."""
        stops = np.empty_like(self.starts)
        stops[:-1], stops[-1:] = self.starts[1:], len(self.codes)
        return frozen(stops - self.starts)

    @cached_property
    def _narrow(self) -> npt.NDArray[np.integer]:
        return narrow(self.codes)


def parted(table: pa.Table, columns: tuple[str, ...]) -> Parted:
    """The rows of a table by the values of these columns; all in one partition when there are none."""
    if not columns:
        return Parted(np.zeros(table.num_rows, dtype=np.int64))
    arrays = [table.column(name) for name in columns]
    return _PARTED.of(arrays, lambda: Parted(combined(map(_numbered, arrays), table.num_rows)[0]))


def _numbered(array: pa.ChunkedArray) -> tuple[Int64s, int]:
    def computed() -> tuple[Int64s, int]:
        codes, most = identity(array)
        return frozen(codes), most

    return _NUMBERED.of([array], computed)


def narrow(codes: Int64s) -> npt.NDArray[np.integer]:
    """The same numbers in as few bits as they need: numpy sorts 8 and 16 bits by radix."""
    most = codes.max(initial=0)
    if most >= 1 << 16:
        return codes
    return codes.astype(np.uint8 if most < 1 << 8 else np.uint16)


_PARTED: Shared[Parted] = Shared()
_NUMBERED: Shared[tuple[Int64s, int]] = Shared()
