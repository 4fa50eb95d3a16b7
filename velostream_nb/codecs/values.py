"""One value to one column type: the rules in words, for the values that no whole-column conversion took.

The slow path, and the definition of what is accepted. Vectorised paths may accept less (the value then comes here),
never more. Numbers come as int, float or Decimal, so that no int64 or decimal ever passes through a float.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from velostream_nb.codecs.intervals import read_interval
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.types import HUGEINT, enum_values, sql_type

MIN_TIME_MS = -62_135_596_800_000
MAX_TIME_MS = 253_402_300_799_999
"""Epoch milliseconds of the years 1 to 9999: outside, a number is taken for a wrong unit, not for a time."""

Convert: TypeAlias = Callable[[Any, str], Any]
"""(value, path) -> what `pyarrow.array` takes for the type; timestamps as integer µs. Never called with None."""

_EPOCH = dt.datetime(1970, 1, 1)  # naive UTC, as all times inside
_MICROSECOND = dt.timedelta(microseconds=1)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}.*)?\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_SHOWN_CHARACTERS = 40
_WIDE = Context(prec=80)
_MOST_DIGITS = 40
_MOST_US = 2**63 // 1_000
_FLOAT_MAX = float(np.finfo(np.float32).max)
_SPECIAL_NUMBERS = {
    "nan": math.nan, "infinity": math.inf, "+infinity": math.inf, "-infinity": -math.inf, "inf": math.inf,
    "+inf": math.inf, "-inf": -math.inf,
}  # fmt: skip
"""How other systems write in JSON, and in CSV, what JSON has no number for."""
_UUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?\Z", re.ASCII)
_BOOLEAN_WORDS = {"true": True, "1": True, "false": False, "0": False}


class Misfit(Exception):  # noqa: N818  it is a verdict on a record, not an error of the program
    """A value that does not fit its column."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


class TooNarrow(Misfit):
    """A number that its column does not hold, and the type `needs` that does."""

    def __init__(self, reason: str, path: str, needs: pa.DataType) -> None:
        super().__init__(reason, path)
        self.needs = needs


def shown(value: object) -> str:
    """The value as a reason quotes it: short, text in quotes, the rest as in JSON."""
    if isinstance(value, str):
        text = repr(value)
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, Mapping):
        return "an object"
    elif isinstance(value, (list, tuple)):
        return "a list"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def misfit(wanted: str, value: object, path: str) -> Misfit:
    """The usual verdict: expected this at that path, got something else."""
    return Misfit(f"expected {wanted} at {path}, got {shown(value)}", path)


def out_of_range(value: object, type_name: str, path: str) -> Misfit:
    """The verdict on a number of the right kind that its type cannot hold."""
    return Misfit(f"{shown(value)} at {path} is out of range for {type_name}", path)


def converter(dtype: pa.DataType, *, text: bool = False, word: str = "") -> Convert:
    """The conversion for one column type.

    Args:
        word: what was declared beyond the type (`core.types.declared_type`).
        text: numbers and booleans may be spelled as text, as in a CSV cell. Without it (JSON) only DECIMAL, dates and
            times may, because JSON has no other exact way to write them.

    Raises:
        SchemaError: values of this type cannot be read.
    """
    if word == "JSON":
        return _document if text else _json
    if word == "UUID":
        return _uuid
    if values := enum_values(word):
        return _enum(values)
    if pa.types.is_integer(dtype):
        return _integer(dtype, text)
    if pa.types.is_decimal(dtype):
        return _decimal(dtype.precision, dtype.scale, word or sql_type(dtype))
    if pa.types.is_timestamp(dtype):
        return _timestamp_us
    if pa.types.is_list(dtype) or pa.types.is_fixed_size_list(dtype):
        size = dtype.list_size if pa.types.is_fixed_size_list(dtype) else None
        return _list(converter(dtype.value_type, text=text), size)
    if pa.types.is_map(dtype):
        return _map(converter(dtype.key_type, text=True), converter(dtype.item_type, text=text))
    if pa.types.is_struct(dtype):
        fields = (dtype.field(i) for i in range(dtype.num_fields))
        return _struct({field.name: converter(field.type, text=text) for field in fields})
    if pa.types.is_floating(dtype):
        return _double(text) if dtype.bit_width == 64 else _float(text)
    if pa.types.is_boolean(dtype):
        return _boolean(text)
    for matches, convert in _SIMPLE:
        if matches(dtype):
            return convert
    raise SchemaError(f"values of type {sql_type(dtype)} cannot be read", hint="declare the column VARCHAR")


def _number(value: Any, wanted: str, path: str, text: bool) -> int | float | Decimal:
    """A number as it is, or the number that a text spells; booleans are not numbers."""
    if text and isinstance(value, str):
        if not _NUMBER.match(spelled := value.strip()):
            raise misfit(wanted, value, path)
        return Decimal(spelled)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise misfit(wanted, value, path)
    return value


def _whole(value: Any, wanted: str, path: str, text: bool) -> int:
    number = _number(value, wanted, path, text)
    # a huge exponent is tested before it is expanded: 1e999999999 has a billion digits
    if isinstance(number, Decimal) and (not number.is_finite() or number.adjusted() > _MOST_DIGITS):
        raise misfit(wanted, value, path)
    if isinstance(number, float) and not math.isfinite(number):
        raise misfit(wanted, value, path)
    if int(number) != number:
        raise misfit(wanted, value, path)
    return int(number)


def _fraction(value: Any, path: str, text: bool) -> float | None:
    """The value as DOUBLE; None when it is no number that DOUBLE holds."""
    try:
        return float(_double(text)(value, path))
    except Misfit:
        return None


def _integer(dtype: pa.DataType, text: bool) -> Convert:
    bits, name = dtype.bit_width, sql_type(dtype)
    signed = pa.types.is_signed_integer(dtype)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def convert_integer(value: Any, path: str) -> int:
        try:
            number = _whole(value, "a whole number", path, text)
        except Misfit as verdict:
            real = _fraction(value, path, text)
            raise (verdict if real is None else TooNarrow(verdict.reason, path, pa.float64())) from None
        if not low <= number <= high:
            needs = pa.int64() if -(2**63) <= number < 2**63 else HUGEINT
            outside = out_of_range(number, name, path)
            raise outside if abs(number) >= 10**38 else TooNarrow(outside.reason, path, needs)
        return number

    return convert_integer


def _decimal(precision: int, scale: int, name: str) -> Convert:
    quantum = Decimal(1).scaleb(-scale)

    def whole(value: Any, path: str) -> int:
        try:
            return _whole(value, "a whole number", path, text=True)
        except Misfit as verdict:
            real = _fraction(value, path, text=True)
            raise (verdict if real is None else TooNarrow(verdict.reason, path, pa.float64())) from None

    def convert_decimal(value: Any, path: str) -> Decimal:
        if scale == 0:
            number = Decimal(whole(value, path))
        else:
            given = _number(value, "a number", path, text=True)
            number = given if isinstance(given, Decimal) else Decimal(repr(given))
        if not number.is_finite():
            raise misfit("a number", value, path)
        # before rounding, because a huge exponent has no room; after it, because 9.995 may become 10.00
        if number and number.adjusted() >= precision - scale:
            raise out_of_range(value, name, path)
        rounded = number.quantize(quantum, ROUND_HALF_UP, _WIDE)  # half up, as DuckDB casts
        if rounded and rounded.adjusted() >= precision - scale:
            raise out_of_range(value, name, path)
        return rounded

    return convert_decimal


def _double(text: bool) -> Convert:
    def convert_double(value: Any, path: str) -> float:
        if isinstance(value, str) and (special := _SPECIAL_NUMBERS.get(value.strip().lower())) is not None:
            return special
        if isinstance(value, Decimal) and value.is_nan():
            return math.nan
        number = _number(value, "a number", path, text)
        try:
            real: float = float(number)
        except OverflowError:
            real = math.inf
        if math.isinf(real) and not isinstance(number, float):
            raise out_of_range(value, "DOUBLE", path)
        return real

    return convert_double


def _float(text: bool) -> Convert:
    convert_double = _double(text)

    def convert_float(value: Any, path: str) -> float:
        real: float = convert_double(value, path)
        if math.isfinite(real) and abs(real) > _FLOAT_MAX:
            raise out_of_range(value, "FLOAT", path)
        return real

    return convert_float


def _boolean(text: bool) -> Convert:
    def convert_boolean(value: Any, path: str) -> bool:
        if text and isinstance(value, str) and value.strip().lower() in _BOOLEAN_WORDS:
            return _BOOLEAN_WORDS[value.strip().lower()]
        if not isinstance(value, bool):
            raise misfit("true or false", value, path)
        return value

    return convert_boolean


def _text(value: Any, path: str) -> str:
    """Text as it is; any other value as its JSON, as DuckDB's JSON reader does for VARCHAR."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Misfit(f"{path} is not UTF-8 text", path) from error
    return json_text(value)


def json_text(value: Any) -> str:
    """A value as JSON text, decimals exact."""
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def _json(value: Any, path: str) -> str:
    """A value as its JSON. A text that is a JSON object or list itself is taken as that, as connectors write JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return _document(value, path)
        except Misfit:
            return json_text(value)
    return json_text(value)


def _document(value: Any, path: str) -> str:
    """A text that is JSON, as it is; any other value as its JSON."""
    if not isinstance(value, (str, bytes)):
        return json_text(value)
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise misfit("JSON", value, path) from error
    return _text(value, path)


def _uuid(value: Any, path: str) -> str:
    """In lower case with its four dashes, so that equal ones are equal texts."""
    spelled = str(value) if isinstance(value, uuid.UUID) else value
    if isinstance(spelled, bytes) and len(spelled) == 16:
        return str(uuid.UUID(bytes=spelled))
    if not isinstance(spelled, str) or (match := _UUID.match(spelled.strip().lower())) is None:
        raise misfit("a UUID", value, path)
    return "-".join(match.groups())


def _enum(values: list[str]) -> Convert:
    known = frozenset(values)
    wanted = f"one of {', '.join(values)}"

    def convert_enum(value: Any, path: str) -> str:
        if not isinstance(value, str) or value not in known:
            raise misfit(wanted, value, path)
        return value

    return convert_enum


def _interval(value: Any, path: str) -> pa.MonthDayNano:
    """Texts as `intervals.read_interval` reads them; numbers are milliseconds, as in times."""
    found = None
    if isinstance(value, (pa.MonthDayNano, dt.timedelta)):
        return value
    if isinstance(value, str):
        found = read_interval(value)
    elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        us = int((Decimal(repr(value)) if isinstance(value, float) else Decimal(value)) * 1_000)
        found = pa.MonthDayNano((0, 0, us * 1_000)) if abs(us) < _MOST_US else None
    if found is None:
        raise misfit("an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds", value, path)
    return found


def _blob(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise misfit("base64 text", value, path)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise misfit("base64 text", value, path) from error


def _timestamp_us(value: Any, path: str) -> int:
    wanted = "epoch milliseconds or an ISO-8601 time"
    if isinstance(value, dt.datetime):
        return to_epoch_us(value)
    if isinstance(value, dt.date):
        return to_epoch_us(dt.datetime(value.year, value.month, value.day))
    if isinstance(value, str) and _ISO_TIME.match(text := value.strip()):
        try:
            return to_epoch_us(dt.datetime.fromisoformat(text))
        except (ValueError, OverflowError) as error:
            raise misfit(wanted, value, path) from error
    time_ms = _whole(value, wanted, path, text=True)
    if not MIN_TIME_MS <= time_ms <= MAX_TIME_MS:
        raise out_of_range(time_ms, f"epoch milliseconds{_unit_hint(time_ms)}", path)
    return time_ms * 1_000


def to_epoch_us(time: dt.datetime) -> int:
    """Microseconds since the epoch; a time without a zone is UTC."""
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC).replace(tzinfo=None)
    return (time - _EPOCH) // _MICROSECOND


def _unit_hint(time_ms: int) -> str:
    for factor, unit in ((1_000, "microseconds"), (1_000_000, "nanoseconds")):
        if MIN_TIME_MS <= time_ms // factor <= MAX_TIME_MS:
            return f" (are these {unit}?)"
    return ""


def _date(value: Any, path: str) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if isinstance(value, str) and _ISO_DATE.match(text := value.strip()):
        try:
            return dt.date.fromisoformat(text)
        except ValueError as error:
            raise misfit("a date like 2026-01-31", value, path) from error
    raise misfit("a date like 2026-01-31", value, path)


def _time(value: Any, path: str) -> dt.time:
    if isinstance(value, dt.time):
        return value
    try:
        return dt.time.fromisoformat(value.strip()).replace(tzinfo=None)
    except (ValueError, AttributeError) as error:
        raise misfit("a time like 14:30:00", value, path) from error


def _list(convert: Convert, size: int | None) -> Convert:
    wanted = "a list" if size is None else f"a list of {size}"

    def convert_list(value: Any, path: str) -> list[Any]:
        if not isinstance(value, (list, tuple)) or (size is not None and len(value) != size):
            raise misfit(wanted, value, path)
        return [None if item is None else convert(item, f"{path}[{i}]") for i, item in enumerate(value)]

    return convert_list


def _struct(fields: Mapping[str, Convert]) -> Convert:
    def convert_struct(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise misfit("an object", value, path)
        given = {name: value.get(name) for name in fields}
        return {n: None if v is None else fields[n](v, f"{path}.{n}") for n, v in given.items()}

    return convert_struct


def _map(key: Convert, item: Convert) -> Convert:
    def convert_map(value: Any, path: str) -> list[tuple[Any, Any]]:
        pairs = value.items() if isinstance(value, Mapping) else value
        if not isinstance(pairs, (list, tuple)) and not isinstance(value, Mapping):
            raise misfit("an object", value, path)
        if isinstance(pairs, (list, tuple)):
            pairs = [_entry(pair, path) for pair in pairs]
        return [(key(k, path), None if v is None else item(v, f"{path}.{k}")) for k, v in pairs]

    return convert_map


def _entry(pair: Any, path: str) -> tuple[Any, Any]:
    """One of a map's entries where they come as a list: a pair, or an object of key and value."""
    if isinstance(pair, Mapping) and pair.keys() == {"key", "value"}:
        return pair["key"], pair["value"]
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        return pair[0], pair[1]
    raise misfit("an object, or a list of key and value", pair, path)


_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], Convert], ...] = (
    (pa.types.is_string, _text),
    (pa.types.is_binary, _blob),
    (pa.types.is_date, _date),
    (pa.types.is_time64, _time),
    (pa.types.is_interval, _interval),
)
