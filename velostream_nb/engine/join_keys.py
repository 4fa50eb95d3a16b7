"""Keys of joins: the type in which two columns are compared, and numbers for the values of both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.identity import combined, identity
from velostream_nb.core.vectors import valid_in, vector
from velostream_nb.engine.arrays import values_of, whole
from velostream_nb.engine.bands import Run, run_of
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.key_numbering import KeyNumbering, can_number

_DIGITS = 38
_LONG_DIGITS = 20
"""What an integer of 64 bits, signed or not, may have."""


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The type in which two key columns are compared without loss; None when there is none."""
    types = pa.types
    if types.is_nested(one) or types.is_nested(other):
        return None
    if one == other:
        return one
    if types.is_integer(one) and types.is_integer(other):
        return pa.decimal128(_DIGITS, 0) if types.is_uint64(one) or types.is_uint64(other) else pa.int64()
    if all(types.is_integer(t) or types.is_decimal(t) for t in (one, other)):  # a sum of integers is HUGEINT
        return pa.decimal128(_DIGITS, max(t.scale for t in (one, other) if types.is_decimal(t)))
    return None


def comparable(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """The same, for types of which `identity` finds equal exactly what DuckDB's ``=`` does, whatever the values."""
    found = common_type(one, other)
    if found is None or not can_number(found) or pa.types.is_duration(found):
        return None
    if found not in (one, other) and pa.types.is_decimal(found):
        whole_digits = max(_LONG_DIGITS if pa.types.is_integer(t) else t.precision - t.scale for t in (one, other))
        return found if whole_digits + found.scale <= _DIGITS else None
    return found


def has_order(one: pa.DataType, other: pa.DataType) -> bool:
    """Do `sortable` values of these types compare as in DuckDB?"""
    types = pa.types
    if types.is_integer(one) and types.is_integer(other):
        return not types.is_uint64(one) and not types.is_uint64(other)
    known = types.is_float64(one) or types.is_timestamp(one) or types.is_date32(one)
    return bool(one == other and known)


def sortable(column: pa.ChunkedArray) -> npt.NDArray[np.integer]:
    """Integers that sort as the values of a column of a type that `has_order` knows; anything for NULL.

    As in DuckDB, NaN is the greatest double and equal to itself, and -0.0 is 0.0.
    """
    numbers = values_of(column).numbers
    if numbers.dtype.kind != "f":
        found: npt.NDArray[np.integer] = numbers  # type: ignore[assignment]  # times are integers here
        return found
    doubles = numbers.astype(np.float64)
    bits = np.where(np.isnan(doubles), np.nan, doubles + 0.0).view(np.int64)
    return bits ^ ((bits >> 63) & np.int64(np.iinfo(np.int64).max))


class Numbers:
    """A number for the key of each row of both sides of a join; -1 where a part of it is NULL.

    Args:
        types: of the key's parts, in which both sides are compared; () for one key for all.
        nulls: NULL is a value like others, equal to itself: no number is -1.
    """

    def __init__(self, types: Sequence[pa.DataType], *, nulls: bool = False) -> None:
        self._types = tuple(types)
        self._nulls = nulls
        self._known: KeyNumbering | _Listed
        if all(map(can_number, types)):
            self._known = KeyNumbering([pa.field(str(i), t) for i, t in enumerate(types)])
        else:
            self._known = _Listed(types)

    def __len__(self) -> int:
        return max(1, len(self._known))

    @property
    def nbytes(self) -> int:
        return self._known.nbytes

    def run(self, rows: pa.Table, columns: Sequence[str], times: Int64s) -> Run:
        """The rows by their keys' numbers and these times."""
        return run_of(self.of_rows(rows, columns), times, len(self))

    def of_rows(self, rows: pa.Table, columns: Sequence[str]) -> Int64s:
        """The number of each row."""
        arrays = [whole(rows.column(name)) for name in columns]
        keys = [a if a.type == t else a.cast(t) for a, t in zip(arrays, self._types, strict=True)]
        if self._nulls or not any(key.null_count for key in keys):
            return self._known.number(keys, rows.num_rows)
        there = np.logical_and.reduce([valid_in(key) for key in keys])
        numbers = np.full(rows.num_rows, -1, dtype=np.int64)
        numbers[there] = self._known.number([key.filter(vector(there)) for key in keys], int(there.sum()))
        return numbers

    def keep(self, used: Int64s) -> Int64s:
        """Forget all but these, which are numbered anew: the numbers by the old ones, -1 for those forgotten."""
        found = np.full(len(self) + 1, -1, dtype=np.int64)  # the last is found by -1
        found[used] = self._known.keep(used)
        return found


class _Listed:
    """What `KeyNumbering` does, for keys of any types: those that are known are read again with each batch."""

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._keys = [pa.nulls(0, t) for t in types]

    def __len__(self) -> int:
        return len(self._keys[0])

    @property
    def nbytes(self) -> int:
        return sum(column.nbytes for column in self._keys)

    def number(self, columns: Sequence[pa.Array], rows: int) -> Int64s:
        """The number of each row's key; new keys get one."""
        before = len(self)
        both = [pa.concat_arrays(pair) for pair in zip(self._keys, columns, strict=True)]
        codes, _ = combined(map(identity, both), before + rows)
        _, first, which = np.unique(codes, return_index=True, return_inverse=True)
        kept = np.sort(first)
        self._keys = [column.take(vector(kept)) for column in both]
        found: Int64s = np.searchsorted(kept, first[which[before:]])
        return found

    def keep(self, numbers: Int64s) -> Int64s:
        """Forget all the others; these are numbered anew: their new numbers."""
        self._keys = [column.take(vector(numbers)) for column in self._keys]
        return np.arange(len(numbers))
