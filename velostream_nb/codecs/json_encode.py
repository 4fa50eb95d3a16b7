"""Rows to JSON texts, column by column: each column becomes texts, and the pieces of a row are joined by Arrow."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.columns import plain
from velostream_nb.codecs.times import to_epoch_us
from velostream_nb.core.intervals import iso_interval
from velostream_nb.core.records import HIDDEN
from velostream_nb.core.types import normal_type
from velostream_nb.core.vectors import numbers_in

_encode = msgspec.json.Encoder(decimal_format="number").encode
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'
_needs_escape = re.compile(_NEEDS_ESCAPE).search
FEW_ROWS = 128
"""So many rows are written sooner value by value."""
_WORDS = {None: "null", True: "true", False: "false"}
_PLAIN_REALS = 1e-4, 1e10
"""Where Python writes a number as Arrow does: neither uses an exponent."""


def encode_rows(batch: pa.RecordBatch, *, end: str) -> pa.StringArray:
    """One JSON object a row, closed by `end` (``}``, perhaps with a newline).

    Timestamps become epoch milliseconds, decimals keep their digits, NaN and infinity become null, bytes become
    base64, dates and times ISO-8601 text. Columns of `core.records.HIDDEN` are left out.
    """
    if batch.num_rows <= FEW_ROWS:
        return pa.array(encode_few(batch, end=end), pa.string())
    pieces: list[Any] = []
    for lead, at in _leads(tuple(batch.schema.names)):
        pieces += [lead, column_texts(batch.column(at))]
    if not pieces:
        return pa.array([f"{{{end}"] * batch.num_rows, pa.string())
    texts = pc.binary_join_element_wise(*pieces, end, "")
    return texts if isinstance(texts, pa.StringArray) else texts.combine_chunks()


def encode_few(batch: pa.RecordBatch, *, end: str) -> list[str]:
    """What `encode_rows` gives, to the byte, of few rows: alerts come one or two at a time."""
    pieces: list[list[str]] = []
    for lead, at in _leads(tuple(batch.schema.names)):
        pieces += [[lead] * batch.num_rows, _few_texts(batch.column(at))]
    if not pieces:
        return [f"{{{end}"] * batch.num_rows
    return ["".join(row) + end for row in zip(*pieces, strict=True)]


@lru_cache(maxsize=256)
def _leads(names: tuple[str, ...]) -> list[tuple[str, int]]:
    """What stands before each value, and in which column the value is."""
    shown = [at for at, name in enumerate(names) if name not in HIDDEN]
    return [(f"{'{' if at == shown[0] else ','}{_encode(names[at]).decode()}:", at) for at in shown]


def _few_texts(column: pa.Array) -> list[str]:
    write = _FEW.get(column.type.id)
    return _as_many(column) if write is None else write(column)


def _as_many(column: pa.Array) -> list[str]:
    texts: list[str] = column_texts(column).to_pylist()
    return texts


def _few_integers(column: pa.Array) -> list[str]:
    return ["null" if value is None else str(value) for value in _values(column)]


def _few_booleans(column: pa.Array) -> list[str]:
    return [_WORDS[value] for value in column.to_pylist()]


def _few_times(column: pa.Array) -> list[str]:
    if column.type.unit != "us":
        return _as_many(column)
    return ["null" if time_us is None else str(time_us // 1_000) for time_us in _values(column.view(pa.int64()))]


def _few_strings(column: pa.Array) -> list[str]:
    return ["null" if text is None else _quoted(text) for text in column.to_pylist()]


def _few_reals(column: pa.Array) -> list[str]:
    least, most = _PLAIN_REALS
    values = _values(column)
    if not all(value is None or value == 0 or least <= abs(value) < most for value in values):
        return _as_many(column)
    return ["null" if value is None else repr(value) for value in values]


_FEW: dict[int, Callable[[pa.Array], list[str]]] = {
    pa.int64().id: _few_integers,
    pa.int32().id: _few_integers,
    pa.bool_().id: _few_booleans,
    pa.timestamp("us").id: _few_times,
    pa.string().id: _few_strings,
    pa.float64().id: _few_reals,
}
"""How a few values of a type are written; those of others are written as many are."""


def _values(column: pa.Array) -> list[Any]:
    plainly: list[Any]
    plainly = column.to_pylist() if column.null_count else numbers_in(column).tolist()
    return plainly


def _quoted(text: str) -> str:
    return _encode(text).decode() if _needs_escape(text) else f'"{text}"'


def column_texts(column: pa.Array) -> pa.StringArray:
    """The JSON text of each value; none is NULL."""
    column = plain(column)
    kind = column.type
    if pa.types.is_string(kind):
        texts = _quote(column)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        texts = column.cast(pa.string())
    elif pa.types.is_floating(kind):
        texts = _real_texts(column)
    elif pa.types.is_decimal(kind):
        texts = column.cast(pa.string())
    elif pa.types.is_timestamp(kind):
        texts = times_ms(column).cast(pa.string())
    elif pa.types.is_date32(kind):
        texts = _wrap(column.cast(pa.string()))
    else:
        texts = _each(column)
    return texts.fill_null("null")


def times_ms(column: pa.Array) -> pa.Array:
    """Timestamps of any unit and zone as whole epoch milliseconds, rounded down (a time is in the ms it began in)."""
    numbers = column.view(pa.int64())
    unit = column.type.unit
    if unit in ("s", "ms"):
        return pc.multiply_checked(numbers, 1_000 if unit == "s" else 1)
    divisor = 1_000 if unit == "us" else 1_000_000
    quotient = pc.divide(numbers, divisor)  # rounds towards zero, so times before 1970 need one less
    below = pc.less(pc.multiply(quotient, divisor), numbers)
    exact = pc.equal(pc.multiply(quotient, divisor), numbers)
    return pc.if_else(pc.or_(below, exact), quotient, pc.subtract(quotient, 1))


def _real_texts(column: pa.Array) -> pa.StringArray:
    """Shortest texts that read back as the same number; a whole one keeps its ``.0``, or inference would see BIGINT."""
    finite = pc.if_else(pc.is_finite(column), column, None)
    texts = finite.cast(pa.string())
    whole = pc.match_substring_regex(texts, r"^-?[0-9]+$")
    if pc.any(whole).as_py():
        texts = pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return texts


def _quote(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(texts, _NEEDS_ESCAPE)).as_py():
        return _wrap(texts)
    return pa.array([None if text is None else _encode(text).decode() for text in texts.to_pylist()], pa.string())


def _wrap(texts: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise('"', texts, '"', "")


def _each(column: pa.Array) -> pa.StringArray:
    """Nested and rare types, value by value."""
    plainly = _plainly(normal_type(column.type))
    values = column.to_pylist()
    return pa.array([None if v is None else _encode(plainly(v)).decode() for v in values], pa.string())


def _plainly(dtype: pa.DataType) -> Callable[[Any], Any]:
    """How a Python value of this type becomes one that msgspec writes as we mean it."""
    if pa.types.is_timestamp(dtype):
        return _time_ms
    if pa.types.is_list(dtype) or pa.types.is_fixed_size_list(dtype):
        item = _plainly(dtype.value_type)
        return lambda values: [None if v is None else item(v) for v in values]
    if pa.types.is_struct(dtype):
        fields = {dtype.field(i).name: _plainly(dtype.field(i).type) for i in range(dtype.num_fields)}
        return lambda value: {name: None if value[name] is None else fields[name](value[name]) for name in fields}
    if pa.types.is_map(dtype):
        entry = _plainly(dtype.item_type)
        return lambda pairs: {_key(k): None if v is None else entry(v) for k, v in pairs}
    return _scalar


def _scalar(value: Any) -> Any:
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, pa.MonthDayNano):
        return iso_interval(value)
    return value


def _key(value: Any) -> str:
    value = _time_ms(value) if isinstance(value, dt.datetime) else _scalar(value)
    return value if isinstance(value, str) else _encode(value).decode()


def _time_ms(value: dt.datetime) -> int:
    return to_epoch_us(value) // 1_000
