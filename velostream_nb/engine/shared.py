"""Shared: what several jobs compute of the same columns is computed once a tick.

Jobs that read one batch would each spell, number and sort the same keys. What has been computed is remembered by the
memory that the columns stand in, so that operators share it without knowing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.memo import Memo

Column: TypeAlias = "pa.ChunkedArray | pa.Array"
Item = TypeVar("Item", bound=np.generic)
Found = TypeVar("Found")

_COLUMNS = 64
_ROWS = 1 << 20
"""So much is remembered of each kind: some tens of MB at most."""
_memos: list[Memo[Any]] = []


class Shared(Generic[Found]):
    """One kind of thing that is computed of columns, such as their partitions.

    It is remembered until `forget`. Several threads may ask for it at once; what they get must be read-only.
    """

    def __init__(self) -> None:
        self._memo: Memo[Found] = Memo(entries=_COLUMNS, rows=_ROWS)
        _memos.append(self._memo)

    def of(self, columns: Sequence[Column], compute: Callable[[], Found]) -> Found:
        """What is known of these columns (one at least), or else what is computed now."""
        places = tuple(map(_place, columns))
        if None in places:
            return compute()
        return self._memo.of(places, compute, columns, len(columns[0]))


def forget() -> None:
    """Let go of all that is remembered, and of the batches that it was computed from."""
    for memo in _memos:
        memo.clear()


def frozen(numbers: npt.NDArray[Item]) -> npt.NDArray[Item]:
    """The numbers, which can be written no more."""
    numbers.flags.writeable = False
    return numbers


def _place(column: Column) -> Hashable | None:
    """Where a column stands in memory: as long as somebody holds it, nothing else is there.

    None for nested values, whose parts may begin anywhere in their buffers.
    """
    if column.type.num_fields or isinstance(column.type, pa.BaseExtensionType):
        return None
    if isinstance(column, pa.ChunkedArray):
        return _chunk(column.chunk(0)) if column.num_chunks == 1 else tuple(map(_chunk, column.chunks))
    return _chunk(column)


def _chunk(array: pa.Array) -> Hashable:
    buffers = [0 if buffer is None else buffer.address for buffer in array.buffers()]
    place = (array.type, array.offset, len(array), *buffers)
    return (*place, _chunk(array.dictionary)) if isinstance(array, pa.DictionaryArray) else place
