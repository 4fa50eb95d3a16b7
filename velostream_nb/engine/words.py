"""Words: key columns as whole numbers of 64 bits, equal exactly where the values are.

Numbers can be hashed, compared and sorted a batch at a time; a tuple of Python objects a key cannot. Each value of a
key has one spelling, whatever batch it stands in:

- a number, a time or a boolean is one word; -0.0 is 0.0 and every NaN is one;
- a text is its first seven bytes and its length in one word, and the bytes that follow in up to three more. A longer
  one is known by a number that it is given when it is first seen;
- NULL is a length of its own in a text, elsewhere a word of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import number_type, values_of, whole
from velostream_nb.engine.codes import Int64s

Word = npt.NDArray[np.uint64]

_TEXT_WORDS = 4
_FIRST_BYTES = 7
_MOST_BYTES = _FIRST_BYTES + 8 * (_TEXT_WORDS - 1)
_LENGTH_AT = np.uint64(8 * _FIRST_BYTES)
_LONG = np.uint64(254 << 56)
_NULL = np.uint64(255 << 56)
_LOW_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)


def can_number(dtype: pa.DataType) -> bool:
    """Are values of this type, as words, equal exactly where they are in DuckDB?"""
    types = pa.types
    return types.is_boolean(dtype) or types.is_decimal128(dtype) or _is_text(dtype) or number_type(dtype) is not None


def _is_text(dtype: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_binary(dtype))


class Words:
    """The spelling of keys.

    Args:
        types: of the key's columns; `can_number` holds for each.

    Attributes:
        count: words of a key, at most.
        implied: of the words, which can be told from others: they need not be compared where a batch has none.
    """

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._types = tuple(types)
        self._long: dict[bytes, int] = {}
        self.implied: list[bool] = []
        for dtype in self._types:
            if _is_text(dtype):
                self.implied += [False] + [True] * (_TEXT_WORDS - 1)
            else:
                self.implied += [False] * (_words_of(dtype) + 1)  # the last one says which are NULL
        self.count = len(self.implied)

    def of(self, columns: Sequence[pa.ChunkedArray | pa.Array]) -> list[Word | None]:
        """A word of every kind, an item a row (there is one at least); None where it is 0 for all rows."""
        found: list[Word | None] = []
        for column, dtype in zip(columns, self._types, strict=True):
            array = whole(column)
            if _is_text(dtype):
                found += self._text(array)
            elif array.null_count:
                absent = array.is_null().to_numpy(zero_copy_only=False)
                found += [np.where(absent, np.uint64(0), word) for word in _numbers(array)]
                found.append(absent.astype(np.uint64))
            else:
                found += [*_numbers(array), None]
        return found

    def _text(self, array: pa.Array) -> list[Word | None]:
        validity, ends, data = array.buffers()
        rows = len(array)
        wide = pa.types.is_large_string(array.type)
        size = 8 if wide else 4
        at: Int64s = np.frombuffer(ends, np.int64 if wide else np.int32, rows + 1, array.offset * size)
        lengths = (at[1:] - at[:-1]).astype(np.int64, copy=False)
        longest = int(lengths.max())
        start, stop = int(at[0]), int(at[-1])
        # words are read at any byte, and perhaps beyond the last one: what is no byte of the text is masked
        padded = np.empty(stop - start + _MOST_BYTES + 1, dtype=np.uint8)
        if stop > start:
            padded[: stop - start] = np.frombuffer(data, np.uint8, stop - start, start)
        any_word = np.ndarray((len(padded) - 7,), "V8", padded, 0, (1,))
        starts = at[:-1] - start if start else at[:-1]
        short = lengths if longest <= _FIRST_BYTES else np.minimum(lengths, _FIRST_BYTES)
        first = any_word.take(starts).view(np.uint64) & _LOW_BYTES.take(short)
        first |= lengths.view(np.uint64) << _LENGTH_AT
        found: list[Word | None] = [first]
        for before in range(_FIRST_BYTES, _MOST_BYTES, 8):
            if longest > before:
                left = np.clip(lengths - before, 0, 8)
                # a text that is shorter may end where there is no such byte
                places = np.where(left > 0, starts + before, 0)
                found.append(any_word.take(places).view(np.uint64) & _LOW_BYTES.take(left))
            else:
                found.append(None)
        if longest > _MOST_BYTES:
            self._number_long(array, lengths > _MOST_BYTES, found)
        if validity is not None and array.null_count:
            _blank(found, array.is_null().to_numpy(zero_copy_only=False), _NULL)
        return found

    def _number_long(self, array: pa.Array, long: npt.NDArray[np.bool_], found: list[Word | None]) -> None:
        """Write the numbers of texts that are too long for words of their own."""
        values = array.filter(pa.array(long)).cast(pa.large_binary()).to_pylist()
        known = self._long
        numbers = [known.setdefault(value, len(known)) if value is not None else 0 for value in values]
        _blank(found, long, np.array(numbers, dtype=np.uint64) | _LONG)


def _blank(found: list[Word | None], rows: npt.NDArray[np.bool_], first: np.uint64 | Word) -> None:
    """Of some rows: this first word, and no other."""
    for number, word in enumerate(found):
        if word is not None:
            word[rows] = np.uint64(0) if number else first


def _words_of(dtype: pa.DataType) -> int:
    return 1 if pa.types.is_boolean(dtype) or number_type(dtype) is not None else 2


def _numbers(array: pa.Array) -> list[Word]:
    """One word a value, or two of a DECIMAL of many digits; of NULL anything."""
    kind = array.type
    if pa.types.is_boolean(kind):
        stop = array.offset + len(array)
        bits = np.unpackbits(np.frombuffer(array.buffers()[1], np.uint8), count=stop, bitorder="little")
        return [bits[array.offset :].astype(np.uint64)]
    if _words_of(kind) == 2:
        pairs = np.frombuffer(array.buffers()[1], np.uint64, 2 * len(array), 16 * array.offset)
        return [pairs[0::2], pairs[1::2]]
    numbers = values_of(array).numbers
    if numbers.dtype.kind == "f":
        real = numbers.astype(np.float64) + 0.0
        real[np.isnan(real)] = np.nan
        return [real.view(np.uint64)]
    whole_numbers: Int64s = numbers.astype(np.int64, copy=False)
    return [whole_numbers.view(np.uint64)]
