"""Keys of joins: the type in which two columns are compared, and numbers for the values of both."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.identity import combined, identity
from velostream_nb.engine.arrays import values_of, whole
from velostream_nb.engine.bands import Run, run_of, run_of_few
from velostream_nb.engine.codes import Parted, parted
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.key_numbering import KeyNumbering, can_number
from velostream_nb.engine.numbering import first_places

_FEW = 256
"""So many keys are looked up one by one sooner than all at once."""
_NOT_SHARED = 4096
"""So many rows are numbered anew for each operator sooner than one learns what another one found."""
_REMEMBERED = 1 << 14
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
        self._plain = all(pa.types.is_string(t) or pa.types.is_integer(t) for t in types)
        self._recent: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return max(1, len(self._known))

    @property
    def nbytes(self) -> int:
        return self._known.nbytes

    def run(self, rows: pa.Table, columns: Sequence[str], times: Int64s) -> Run:
        """The rows by their keys' numbers and these times."""
        codes = self._of_few(rows, columns)
        return run_of(*self.partitions(rows, columns), times) if codes is None else run_of_few(codes, times, len(self))

    def partitions(self, rows: pa.Table, columns: Sequence[str]) -> tuple[Parted, Int64s]:
        """(the rows by their keys, the number of each partition)."""
        parts, keys = self._parted(rows, columns)
        return parts, self._number(keys, parts.order[parts.starts])

    def of_rows(self, rows: pa.Table, columns: Sequence[str]) -> Int64s:
        """The number of each row."""
        found = self._of_few(rows, columns)
        if found is None:
            parts, keys = self._parted(rows, columns)
            places, partition = first_places(parts.codes)
            found = self._number(keys, places)[partition]
        return found

    def _of_few(self, rows: pa.Table, columns: Sequence[str]) -> Int64s | None:
        """The same for so few rows that others would gain nothing by knowing their partitions; else None."""
        count = rows.num_rows
        if not self._plain or count > (_FEW if len(columns) != 1 else _NOT_SHARED):
            return None
        keys = self._compared(rows, columns)
        if count <= _FEW:
            return self._looked_up(keys, count)
        if not pa.types.is_string(self._types[0]):
            return self._given(keys, count)
        encoded = keys[0].dictionary_encode("encode")
        numbers = self._looked_up([encoded.dictionary], len(encoded.dictionary))
        found: Int64s = numbers[encoded.indices.to_numpy()]
        return found

    def _parted(self, rows: pa.Table, columns: Sequence[str]) -> tuple[Parted, list[pa.Array]]:
        """The rows by their keys, and these."""
        keys = self._compared(rows, columns)
        if all(rows.schema.field(c).type == t for c, t in zip(columns, self._types, strict=True)):
            return parted(rows, tuple(columns)), keys
        names = tuple(map(str, range(len(keys))))
        return parted(pa.table(keys, names=list(names)), names), keys

    def _compared(self, rows: pa.Table, columns: Sequence[str]) -> list[pa.Array]:
        """The key columns as the types in which they are compared."""
        arrays = [whole(rows.column(name)) for name in columns]
        return [a if a.type == t else a.cast(t) for a, t in zip(arrays, self._types, strict=True)]

    def _number(self, columns: list[pa.Array], rows: Int64s) -> Int64s:
        """The numbers of some rows."""
        keys = [column.take(pa.array(rows)) for column in columns]
        if self._plain and len(rows) <= _FEW:
            return self._looked_up(keys, len(rows))
        return self._given(keys, len(rows))

    def _looked_up(self, keys: list[pa.Array], rows: int) -> Int64s:
        """The same for a few keys, most of which come again and again."""
        if not keys:
            return self._given(keys, rows)
        lists = [key.to_pylist() for key in keys]
        listed: list[Any] = lists[0] if len(lists) == 1 else list(zip(*lists, strict=True))
        found = list(map(self._recent.get, listed))
        if None in found:
            if len(self._recent) > _REMEMBERED:
                self._recent.clear()
            numbers = self._given(keys, rows)
            self._recent.update(zip(listed, numbers.tolist(), strict=True))
            return numbers
        return np.array(found, dtype=np.int64)

    def _given(self, keys: list[pa.Array], rows: int) -> Int64s:
        if self._nulls or not any(key.null_count for key in keys):
            return self._known.number([pa.chunked_array([key]) for key in keys], rows)
        there = np.logical_and.reduce([key.is_valid().to_numpy(zero_copy_only=False) for key in keys])
        some = [pa.chunked_array([key.filter(pa.array(there))]) for key in keys]
        numbers = np.full(rows, -1, dtype=np.int64)
        numbers[there] = self._known.number(some, int(there.sum()))
        return numbers

    def keep(self, used: Int64s) -> Int64s:
        """Forget all but these, which are numbered anew: the numbers by the old ones, -1 for those forgotten."""
        self._recent.clear()
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

    def number(self, columns: Sequence[pa.ChunkedArray], rows: int) -> Int64s:
        """The number of each row's key; new keys get one."""
        before = len(self)
        both = [pa.concat_arrays([known, *column.chunks]) for known, column in zip(self._keys, columns, strict=True)]
        codes, _ = combined(map(identity, both), before + rows)
        _, first, which = np.unique(codes, return_index=True, return_inverse=True)
        kept = np.sort(first)
        self._keys = [column.take(pa.array(kept)) for column in both]
        found: Int64s = np.searchsorted(kept, first[which[before:]])
        return found

    def keep(self, numbers: Int64s) -> Int64s:
        """Forget all the others; these are numbered anew: their new numbers."""
        self._keys = [column.take(pa.array(numbers)) for column in self._keys]
        return np.arange(len(numbers))
