"""Whole columns at once: Arrow arrays cast to the type that a schema wants, with the rows that do not cast named.

A row's outcome never depends on its neighbours: where a column does not cast as a whole it is halved until the rows at
fault are alone, and only those are converted one by one (`values.converter`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.times import MAX_TIME_MS, MIN_TIME_MS
from velostream_nb.codecs.values import converter
from velostream_nb.codecs.verdicts import Convert, Misfit
from velostream_nb.core.types import TIMESTAMP, enum_values
from velostream_nb.core.vectors import integers_in

REFUSALS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError, UnicodeError)
"""What Arrow raises for values that do not fit a type."""

Cast = Callable[[pa.Array], pa.Array]

_ONE_BY_ONE_ROWS = 16
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ZONE = re.compile(r"(?:Z|:\d\d[+-]\d\d(?::?\d\d)?|\.\d+[+-]\d\d(?::?\d\d)?)\Z")


def cast_column(array: pa.Array, dtype: pa.DataType, path: str, word: str = "") -> tuple[pa.Array, dict[int, Misfit]]:
    """The column as `dtype` (a normal type), NULL where a row does not fit, and the verdicts on those rows.

    No copy when the type is right already. Integers become timestamps as epoch milliseconds; zoned timestamps
    become UTC; text is parsed where a number, time or boolean is wanted.

    Args:
        word: what was declared beyond the type (`core.types.declared_type`); every text is then held against it.
    """
    if not array.type.equals(dtype):
        array = plain(array)
    if array.type.equals(dtype):
        if not word or not pa.types.is_string(dtype) or all_spell(array, word):
            return array, {}
        return convert_each(array.to_pylist(), dtype, converter(dtype, text=True, word=word), path)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), dtype), {}
    cast = None if word else _cast_for(array.type, dtype)
    if cast is None:
        return convert_each(array.to_pylist(), dtype, converter(dtype, text=True, word=word), path)
    halving = _Halving(cast, dtype, path)
    halving.run(array, 0)
    return halving.pieces[0] if len(halving.pieces) == 1 else pa.concat_arrays(halving.pieces), halving.bad


def all_spell(texts: pa.StringArray, word: str) -> bool:
    """Whether every text is, as it stands, a value of the declared type: a UUID in its usual form, one of an ENUM."""
    if word == "UUID":
        fit = pc.match_substring_regex(texts, _UUID)
    elif values := enum_values(word):
        fit = pc.is_in(texts.drop_null(), pa.array(values, pa.string()))
    else:
        return False
    return bool(pc.all(fit).as_py() in (True, None))


def plain(array: pa.Array) -> pa.Array:
    """The array in the form that is used inside (`core.types.normal_type`), where that is another form of its type."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
        return array.storage.cast(pa.bool_()) if kind.extension_name == "arrow.bool8" else plain(array.storage)
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array))
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return array.cast(pa.list_(kind.value_type))
    if pa.types.is_decimal(kind) and not pa.types.is_decimal128(kind):
        return array.cast(pa.decimal128(kind.precision, kind.scale))
    if pa.types.is_duration(kind):
        return pa.array(array.to_pylist(), pa.month_day_nano_interval())
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return array.cast(pa.binary())
    return array


def convert_each(
    values: Sequence[Any], dtype: pa.DataType, convert: Convert, path: str
) -> tuple[pa.Array, dict[int, Misfit]]:
    """The values one by one; NULL and a verdict where one does not fit."""
    bad: dict[int, Misfit] = {}
    converted: list[Any] = []
    for row, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value, path))
        except Misfit as verdict:
            bad[row] = verdict
            converted.append(None)
    return pa.array(converted, dtype), bad


def of_numpy(values: npt.NDArray[Any], dtype: pa.DataType) -> pa.Array:
    """The values as an Arrow array without NULLs, which shares their memory; they must have the type's width."""
    return pa.Array.from_buffers(dtype, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def times_from_ms(numbers: pa.Array, dtype: pa.DataType = TIMESTAMP) -> pa.Array:
    """Epoch milliseconds (int64) as timestamps in µs; ArrowInvalid when one is not within the years 1 to 9999."""
    if len(numbers) and not numbers.null_count:  # numpy is done before Arrow has begun
        times_ms = integers_in(numbers)
        if times_ms.min() < MIN_TIME_MS or times_ms.max() > MAX_TIME_MS:
            raise pa.ArrowInvalid("out of range for epoch milliseconds")
        return of_numpy(times_ms * 1_000, dtype)
    bounds = pc.min_max(numbers)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    if low is not None and (low < MIN_TIME_MS or high > MAX_TIME_MS):
        raise pa.ArrowInvalid("out of range for epoch milliseconds")
    return pc.multiply(numbers, 1_000).view(dtype)


def times_from_text(text: pa.StringArray, dtype: pa.DataType = TIMESTAMP) -> pa.Array:
    """ISO-8601 texts, all with or all without a zone, as UTC; ArrowInvalid when one is neither, or not in 1 to 9999."""
    zoned = bool(_ZONE.search(_first_text(text)))
    times = text.cast(pa.timestamp("us", tz="UTC") if zoned else pa.timestamp("us"))
    numbers = times.view(pa.int64())
    bounds = pc.min_max(numbers)
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    if low is not None and (low < MIN_TIME_MS * 1_000 or high >= (MAX_TIME_MS + 1) * 1_000):
        raise pa.ArrowInvalid("out of range for a timestamp")
    return numbers.view(dtype)


def _first_text(texts: pa.StringArray) -> str:
    """The first text that is not NULL, '' when all are."""
    valid = texts.drop_null()
    return str(valid[0]) if len(valid) else ""


class _Halving:
    """One column being cast: the pieces so far, in order, and the verdicts on rows that fit in no way."""

    def __init__(self, cast: Cast, dtype: pa.DataType, path: str) -> None:
        self.pieces: list[pa.Array] = []
        self.bad: dict[int, Misfit] = {}
        self._cast = cast
        self._dtype = dtype
        self._path = path
        self._convert = converter(dtype, text=True)

    def run(self, array: pa.Array, first: int) -> None:
        """Cast rows that begin at row `first` of the column."""
        try:
            self.pieces.append(self._cast(array))
            return
        except REFUSALS:
            rows = len(array)
        if rows == 1:
            piece, verdicts = convert_each(array.to_pylist(), self._dtype, self._convert, self._path)
            self.pieces.append(piece)
            self.bad.update((first, verdict) for verdict in verdicts.values())
            return
        # where little is left, one by one costs less than halving on
        step = rows // 2 if rows > _ONE_BY_ONE_ROWS else 1
        for start in range(0, rows, step):
            self.run(array.slice(start, step), first + start)


def _cast_for(source: pa.DataType, target: pa.DataType) -> Cast | None:
    """How Arrow casts one type to another as we mean it; None where every value has to be looked at."""
    number = pa.types.is_integer(source) or pa.types.is_floating(source) or pa.types.is_decimal(source)
    if pa.types.is_timestamp(target):
        return _time_cast(source, target)
    if pa.types.is_string(source):
        return _text_cast(target)
    if pa.types.is_boolean(source) or pa.types.is_boolean(target):
        return None
    if pa.types.is_temporal(source) and not pa.types.is_string(target):
        return _plain_cast(target) if type(source) is type(target) and pa.types.is_time(source) else None
    if number and pa.types.is_temporal(target):
        return None
    if pa.types.is_nested(source) and not pa.types.is_nested(target):
        return None
    return _float_cast if pa.types.is_float32(target) else _plain_cast(target)


def _plain_cast(target: pa.DataType) -> Cast:
    return lambda array: array.cast(target)


def _text_cast(target: pa.DataType) -> Cast | None:
    """How text becomes a number, date, time or boolean; white space around it does not count."""
    if pa.types.is_binary(target) or pa.types.is_nested(target):
        return None  # base64, not the bytes of the text
    cast = _float_cast if pa.types.is_float32(target) else _plain_cast(target)

    def cast_text(array: pa.Array) -> pa.Array:
        try:
            return cast(array)
        except pa.ArrowInvalid:
            return cast(pc.utf8_trim_whitespace(array))

    return cast_text


def _time_cast_of_text(target: pa.DataType) -> Cast:
    """Text that is all epoch milliseconds, or all ISO-8601."""

    def cast_text(array: pa.Array) -> pa.Array:
        texts = pc.utf8_trim_whitespace(array)
        # the first value tells which: a cast that fails costs fifty times one that succeeds
        if "-" in _first_text(texts)[1:]:
            return times_from_text(texts, target)
        return times_from_ms(texts.cast(pa.int64()), target)

    return cast_text


def _float_cast(array: pa.Array) -> pa.Array:
    """To FLOAT; a finite number that would become infinite is refused."""
    narrow = array.cast(pa.float32())
    if pc.any(pc.is_inf(narrow)).as_py():
        raise pa.ArrowInvalid("out of range for FLOAT")
    return narrow


def _time_cast(source: pa.DataType, target: pa.DataType) -> Cast | None:
    if pa.types.is_integer(source) or pa.types.is_floating(source) or pa.types.is_decimal(source):
        return lambda array: times_from_ms(array.cast(pa.int64()), target)
    if pa.types.is_string(source):
        return _time_cast_of_text(target)
    if pa.types.is_date(source):
        return lambda array: array.cast(pa.timestamp("us")).view(target)
    if pa.types.is_timestamp(source):
        # viewed as naive first: the instant is what is stored, and UTC is what we mean
        naive = pa.timestamp(source.unit)
        options = pc.CastOptions(pa.timestamp("us"), allow_time_truncate=True)
        return lambda array: array.view(naive).cast(options=options).view(target)
    return None
