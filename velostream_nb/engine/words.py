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
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.vectors import valid_in, vector
from velostream_nb.engine.arrays import number_type, values_of, whole
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.shared import Column, Shared, frozen

Word = npt.NDArray[np.uint64]
Text: TypeAlias = "tuple[list[Word | None], Mask | None]"
"""(the words of texts, read-only; which of them are too long to be told by these, None: none is)."""

_TEXT_WORDS = 4
_FIRST_BYTES = 7
_MOST_BYTES = _FIRST_BYTES + 8 * (_TEXT_WORDS - 1)
_LENGTH_AT = np.uint64(8 * _FIRST_BYTES)
_LONG = np.uint64(254 << 56)
_NULL = np.uint64(255 << 56)


def _masks(before: int, count: int) -> Word:
    """By a text's length, the bytes of a word of `count` that are its own, where so many bytes stand before them."""
    own = [min(max(length - before, 0), count) for length in range(_MOST_BYTES + 1)]
    return np.array([(1 << 8 * size) - 1 for size in own], dtype=np.uint64)


_FIRST_MASKS = _masks(0, _FIRST_BYTES)
_MASKS = {before: _masks(before, 8) for before in range(_FIRST_BYTES, _MOST_BYTES, 8)}


def is_text(dtype: pa.DataType) -> bool:
    """Is it spelled byte by byte?"""
    types = pa.types
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_binary(dtype))


class Words:
    """The spelling of keys.

    Args:
        types: of the key's columns; a text, a boolean, a DECIMAL, or one that `number_type` knows.

    Attributes:
        count: words of a key, at most.
        implied: of the words, which can be told from others: they need not be compared where a batch has none.
    """

    def __init__(self, types: Sequence[pa.DataType]) -> None:
        self._are_texts = [is_text(dtype) for dtype in types]
        self._long: dict[bytes, int] = {}
        self.implied: list[bool] = []
        for dtype, text in zip(types, self._are_texts, strict=True):
            if text:
                self.implied += [False] + [True] * (_TEXT_WORDS - 1)
            else:
                self.implied += [False] * (_words_of(dtype) + 1)  # the last one says which are NULL
        self.count = len(self.implied)

    def of(self, columns: Sequence[Column]) -> list[Word | None]:
        """A word of every kind, an item a row (there is one at least); None where it is 0 for all rows. Read-only."""
        found: list[Word | None] = []
        for column, text in zip(columns, self._are_texts, strict=True):
            array = whole(column)
            if text:
                found += self._text(array)
            elif array.null_count:
                absent = ~valid_in(array)
                found += [np.where(absent, np.uint64(0), word) for word in _numbers(array)]
                found.append(absent.astype(np.uint64))
            else:
                found += [*_numbers(array), None]
        return found

    def _text(self, array: pa.Array) -> list[Word | None]:
        words, long = _TEXTS.of([array], lambda: _spelled(array))
        if long is None:
            return words
        # the numbers of longer ones are our own
        values = array.filter(vector(long)).cast(pa.large_binary()).to_pylist()
        known = self._long
        numbers = [known.setdefault(value, len(known)) for value in values]
        words = [None if word is None else word.copy() for word in words]
        _blank(words, long, np.array(numbers, dtype=np.uint64) | _LONG)
        return words


_TEXTS: Shared[Text] = Shared()


def _spelled(array: pa.Array) -> Text:
    """The words of texts."""
    _, ends, data = array.buffers()
    offsets = np.int64 if pa.types.is_large_string(array.type) else np.int32
    at = np.frombuffer(ends, offsets, len(array) + 1, array.offset * np.dtype(offsets).itemsize).astype(np.int64)
    lengths = at[1:] - at[:-1]
    start, stop, longest = int(at[0]), int(at[-1]), int(lengths.max())
    # words are read at any byte, and beyond the last one: what is no byte of the text is masked
    padded = np.empty(stop - start + _MOST_BYTES + 1, dtype=np.uint8)
    if stop > start:
        padded[: stop - start] = np.frombuffer(data, np.uint8, stop - start, start)
    any_word = np.ndarray((len(padded) - 7,), "V8", padded, 0, (1,))
    starts = at[:-1]
    starts -= start
    short = lengths if longest <= _MOST_BYTES else np.minimum(lengths, _MOST_BYTES)
    first = any_word.take(starts).view(np.uint64)
    first &= _FIRST_MASKS.take(short)
    first |= lengths.view(np.uint64) << _LENGTH_AT
    found: list[Word | None] = [first]
    for before, masks in _MASKS.items():
        word = None
        if longest > before:
            word = any_word[before:].take(starts).view(np.uint64)
            word &= masks.take(short)
        found.append(word)
    null = ~valid_in(array) if array.null_count else None
    if null is not None:
        _blank(found, null, _NULL)
    for word in found:
        if word is not None:
            frozen(word)
    if longest <= _MOST_BYTES:
        return found, None
    long = lengths > _MOST_BYTES
    return found, long if null is None else long & ~null


def _blank(found: list[Word | None], rows: Mask, first: np.uint64 | Word) -> None:
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
    whole_numbers: npt.NDArray[np.int64] = numbers.astype(np.int64, copy=False)
    return [whole_numbers.view(np.uint64)]
