"""The values of matched records as columns: taken out of the block by Arrow, all of one kind at once.

What Arrow takes for a number and JSON does not (``1.``, ``0x1``) was set apart by `json_match` where a value's edges
tell, and is found here where they do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.columns import REFUSALS, all_spell, convert_each, times_from_ms, times_from_text
from velostream_nb.codecs.json_match import Match
from velostream_nb.codecs.json_template import NULL, NUMBER, TEXT, WORD, Bools, Bytes, Template
from velostream_nb.codecs.verdicts import Convert, Misfit
from velostream_nb.core.vectors import flags_in, numbers_in, vector

_INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_ZERO, _NINE, _POINT, _EXPONENT, _TRUE = b"09.et"

Filled: TypeAlias = tuple[pa.Array, dict[int, Misfit]]
"""A column, NULL where a value does not fit, and the verdicts on those by row."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column that is to be filled."""

    name: str
    dtype: pa.DataType
    word: str
    convert: Convert

    def fits(self, kind: str) -> bool:
        """Whether values of this kind can be taken at once."""
        dtype = self.dtype
        if kind == NULL:
            return True
        if pa.types.is_string(dtype):
            return kind == TEXT or not self.word
        if pa.types.is_timestamp(dtype):
            return kind in (TEXT, NUMBER)
        if pa.types.is_date(dtype):
            return kind == TEXT
        return kind == (WORD if pa.types.is_boolean(dtype) else NUMBER)

    def from_values(self, values: pa.Array) -> Filled:
        """The column from values of the Arrow type that its kind of values is read as."""
        try:
            return self._cast(values), {}
        except REFUSALS:
            return convert_each(values.to_pylist(), self.dtype, self.convert, self.name)

    def _cast(self, values: pa.Array) -> pa.Array:
        dtype = self.dtype
        if self.word and pa.types.is_string(dtype) and not all_spell(values, self.word):
            raise pa.ArrowInvalid("looked at one by one")
        if pa.types.is_string(dtype):
            return values
        if pa.types.is_timestamp(dtype):
            from_kind = times_from_text if pa.types.is_string(values.type) else times_from_ms
            return from_kind(values, dtype)
        cast = values.cast(dtype)
        if pa.types.is_float32(dtype) and pc.any(pc.is_inf(cast)).as_py():
            raise pa.ArrowInvalid("out of range for FLOAT")
        return cast


def can_be_filled(dtype: pa.DataType, word: str) -> bool:
    """Whether columns of this type can be filled here."""
    if pa.types.is_string(dtype):
        return word != "JSON"
    number = pa.types.is_integer(dtype) or pa.types.is_float32(dtype) or pa.types.is_float64(dtype)
    return bool(number or pa.types.is_boolean(dtype) or pa.types.is_timestamp(dtype) or pa.types.is_date(dtype))


class Binding:
    """Which values of a template fill which columns.

    Attributes:
        usable: False when some column has to be looked at value by value.
    """

    def __init__(self, template: Template, wanted: Sequence[Wanted]) -> None:
        self.template = template
        sources = [template.fields.get(column.name, _ABSENT) for column in wanted]
        ways = [_way(column, source, template) for column, source in zip(wanted, sources, strict=True)]
        self.usable = None not in ways
        filled = [(column, way, s or 0) for column, way, s in zip(wanted, ways, sources, strict=True) if way]
        groups = {way: _Group({source for _, other, source in filled if other is way}) for way in _TYPES}
        self._texts, self._integers, self._reals = groups.values()
        self._columns = [(column, way, groups[way].turns[s] if way in groups else s) for column, way, s in filled]
        # numbers that nobody wants are looked at too: so it is known that they are numbers
        unread = set(template.numbers) - {*self._integers.fields, *self._reals.fields}
        self._unread = [_Group({s for s in unread if template.numbers[s] == points}) for points in (0, 1)]
        self._unread.append(_Group(unread.difference(*(group.fields for group in self._unread))))
        self._trim = np.array([[kind == TEXT] for kind in template.kinds], np.int64)

    def fill(self, text: Bytes, match: Match) -> tuple[Match, dict[str, pa.Array]]:
        """The columns of the matched records, and those that are left: of some a value does not fit its column."""
        while match.rows:
            values = _Values(text, match, self._trim)
            found: dict[str, pa.Array] = {}
            misfits = values.numbers(self._integers, pa.int64(), found)
            if misfits is None:
                misfits = values.numbers(self._reals, pa.float64(), found)
            for group in self._unread if misfits is None else ():
                if misfits is None and not values.are_plain(group):
                    misfits = values.numbers(group, pa.float64(), {})
            if misfits is None:
                if self._texts:
                    found[_TEXTS] = values.take(self._texts)
                return self._fitted(values, found)
            match = match.keep(~misfits)
        return match, {}

    def _fitted(self, values: _Values, found: Mapping[str, pa.Array]) -> tuple[Match, dict[str, pa.Array]]:
        rows = values.match.rows
        filled = {column.name: self._filled(column, way, at, values, found, rows) for column, way, at in self._columns}
        columns = {name: column for name, (column, _) in filled.items()}
        misfits = {row for _, verdicts in filled.values() for row in verdicts}
        if not misfits:
            return values.match, columns
        # what is said of them is not for us to say: of several reasons, which one comes first
        kept = np.ones(values.match.rows, np.bool_)
        kept[list(misfits)] = False
        mask = vector(kept)
        return values.match.keep(kept), {name: column.filter(mask) for name, column in columns.items()}

    @staticmethod
    def _filled(column: Wanted, way: str, at: int, values: _Values, found: Mapping[str, pa.Array], rows: int) -> Filled:
        """A column; `at` is its turn in the group of its way, or the number of its value where there is no group."""
        if way is _NULLS:
            return pa.nulls(rows, column.dtype), {}
        if way is _WORDS:
            return values.words(at), {}
        taken = found[way].slice(at * rows, rows)
        return (taken, {}) if column.dtype == _TYPES[way] and not column.word else column.from_values(taken)


_ABSENT = -1
_TEXTS, _INTEGERS, _REALS, _WORDS, _NULLS = "texts", "integers", "reals", "words", "nulls"
_TYPES = {_TEXTS: pa.string(), _INTEGERS: pa.int64(), _REALS: pa.float64()}
"""What values that are taken together are read as."""


def _way(column: Wanted, source: int | None, template: Template) -> str | None:
    """How a column is filled from a value of the template; None when it has to be looked at value by value."""
    if source is None:
        return None
    kind = NULL if source == _ABSENT else template.kinds[source]
    if not column.fits(kind):
        return None
    if kind == NULL:
        return _NULLS
    if pa.types.is_string(column.dtype) or kind == TEXT:
        return _TEXTS
    if kind == WORD:
        return _WORDS
    return _REALS if pa.types.is_floating(column.dtype) else _INTEGERS


class _Group:
    """Values that are taken together.

    Attributes:
        fields: their numbers, ascending.
        turns: by number, which of the group it is.
    """

    def __init__(self, fields: set[int]) -> None:
        self.fields = sorted(fields)
        self.turns = {field: turn for turn, field in enumerate(self.fields)}
        self.steps = 2 * np.array(self.fields, np.int64)[:, None]

    def __bool__(self) -> bool:
        return bool(self.fields)


class _Values:
    """The values of matched records as Arrow takes them."""

    def __init__(self, text: Bytes, match: Match, trim: npt.NDArray[np.int64]) -> None:
        self.match = match
        self._text = text
        fields, rows = match.starts.shape
        # values and what stands between them take turns in one array over the whole block
        edges = np.empty((rows, fields, 2), np.int32)
        np.add(match.starts, trim, out=edges[:, :, 0].T, casting="same_kind")
        np.subtract(match.ends, trim, out=edges[:, :, 1].T, casting="same_kind")
        buffers = [None, pa.py_buffer(edges), pa.py_buffer(text)]
        self._pieces = pa.Array.from_buffers(pa.string(), edges.size - 1, buffers)
        self._first = np.arange(0, edges.size, 2 * fields)

    def take(self, group: _Group) -> pa.StringArray:
        """All values of a group, field after field."""
        at = (self._first + group.steps).ravel()
        nulls = None if self.match.nulls is None else self.match.nulls[group.fields].ravel()
        return self._pieces.take(vector(at, absent=nulls))

    def numbers(self, group: _Group, dtype: pa.DataType, found: dict[str, pa.Array]) -> Bools | None:
        """Put the numbers into `found`; or tell which records have something else there."""
        if not group:
            return None
        texts = self.take(group)
        real = pa.types.is_floating(dtype)
        try:
            numbers = texts.cast(dtype)
        except pa.ArrowInvalid:
            numbers = None
        if numbers is None or (real and _has_bare_point(texts)):
            return self._unlike(texts, _NUMBER if real else _INTEGER)
        if real and _has_infinity(numbers):
            return self._misfits(pc.is_inf(numbers))
        found[_REALS if real else _INTEGERS] = numbers
        return None

    def are_plain(self, group: _Group) -> bool:
        """Whether all are numbers of the usual kind, which is seen sooner than their values are told."""
        if not group:
            return True
        texts = self.take(group)
        digits = _bytes(texts)
        if not len(digits) or digits.max() > _NINE:
            return not len(digits)
        points = np.flatnonzero(digits < _ZERO)
        if not len(points):
            return True
        if len(points) != len(texts) or (digits[points] != _POINT).any():
            return False
        # as many points as numbers: none has two if each has one
        ends = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
        return bool(((ends[:-1] < points) & (points < ends[1:])).all())

    def words(self, field: int) -> pa.BooleanArray:
        """True and false."""
        nulls = None if self.match.nulls is None else self.match.nulls[field]
        return vector(self._text[self.match.starts[field]] == _TRUE, absent=nulls)

    def _unlike(self, texts: pa.StringArray, pattern: str) -> Bools:
        return self._misfits(pc.invert(pc.match_substring_regex(texts, pattern)))

    def _misfits(self, found: pa.BooleanArray) -> Bools:
        flags = flags_in(pc.fill_null(found, False)).reshape(-1, self.match.rows)
        misfits: Bools = np.logical_or.reduce(flags)
        # if Arrow refuses what looks right, they are all looked at one by one
        return misfits if misfits.any() else np.ones_like(misfits)


def _has_infinity(numbers: pa.DoubleArray) -> bool:
    if numbers.null_count:
        return bool(pc.any(pc.is_inf(numbers)).as_py())
    return bool(np.isinf(numbers_in(numbers)).any())


def _bytes(texts: pa.StringArray) -> Bytes:
    """All of the texts, one behind the other; they are not a slice of more."""
    buffer = texts.buffers()[2]
    return np.frombuffer(b"" if buffer is None else buffer, np.uint8)


def _has_bare_point(numbers: pa.StringArray) -> bool:
    """Whether a point is followed by an exponent, as in ``1.e5``: other readers than JSON's take it."""
    digits = _bytes(numbers)
    if not len(digits) or digits.max() <= _NINE:
        return False
    return bool(((digits[:-1] == _POINT) & (digits[1:] | 0x20 == _EXPONENT)).any())
