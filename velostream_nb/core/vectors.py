"""numpy arrays as Arrow arrays and back, without a copy where there need be none.

`pa.array` and `to_numpy` would do, but their first call imports pandas, which takes longer than a job does to start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]

_LONG_TIMES = (pa.timestamp("us"), pa.time64("us"), pa.duration("us"), pa.date64())
_SHORT_TIMES = (pa.date32(), pa.time32("ms"))


def _pairs() -> list[tuple[np.dtype[Any], pa.DataType]]:
    names = [*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64"]
    return [(np.dtype(name), getattr(pa, name)()) for name in names]


_TYPES = dict(_pairs())
_DTYPES = {
    **{arrow.id: dtype for dtype, arrow in _pairs()},
    pa.bool_().id: np.dtype(np.bool_),
    **{arrow.id: np.dtype(np.int64) for arrow in _LONG_TIMES},
    **{arrow.id: np.dtype(np.int32) for arrow in _SHORT_TIMES},
}


def vector(numbers: npt.NDArray[Any], *, absent: Mask | None = None) -> pa.Array:
    """Numbers or booleans as a column. They must not change any more.

    Args:
        absent: which are NULL.
    """
    valid = None if absent is None else _bitmap(~absent)
    if numbers.dtype == np.bool_:
        return pa.Array.from_buffers(pa.bool_(), len(numbers), [valid, _bitmap(numbers)])
    data = np.ascontiguousarray(numbers)
    return pa.Array.from_buffers(_TYPES[data.dtype], len(data), [valid, pa.py_buffer(data)])


def _bitmap(flags: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def numbers_in(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """The inverse of `vector`; of NULL anything. Times are integers. Only booleans are a copy, to be written to."""
    array = whole(column)
    dtype = _DTYPES[array.type.id]
    if dtype == np.bool_:
        return flags_in(array)
    if not len(array):
        return np.empty(0, dtype=dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def integers_in(column: pa.Array | pa.ChunkedArray) -> Int64s:
    """The same for whole numbers and times, as int64."""
    return numbers_in(column).astype(np.int64, copy=False)


def flags_in(column: pa.Array | pa.ChunkedArray) -> Mask:
    """The same for booleans."""
    array = whole(column)
    if not len(array):
        return np.empty(0, dtype=np.bool_)
    stop = array.offset + len(array)
    bits = np.unpackbits(np.frombuffer(array.buffers()[1], np.uint8), count=stop, bitorder="little")
    return bits[array.offset :].view(np.bool_)


def valid_in(column: pa.Array | pa.ChunkedArray) -> Mask:
    """Which values are not NULL."""
    array = whole(column)
    return flags_in(array.is_valid()) if array.null_count else np.ones(len(array), dtype=np.bool_)


def whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.nulls(0, column.type)])
