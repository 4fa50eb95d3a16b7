"""One value to one column type: the rules in words, for the values that no whole-column conversion took.

The slow path, and the definition of what is accepted. Vectorised paths may accept less (the value then comes here),
never more. Numbers come as int, float or Decimal, so that no int64 or decimal ever passes through a float.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from velostream_nb.codecs import numbers, times
from velostream_nb.codecs.verdicts import Convert, Misfit, misfit
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.types import enum_values, sql_type

_any_json = msgspec.json.Decoder(float_hook=Decimal)
_UUID = re.compile(r"\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?\Z", re.ASCII)


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
        return numbers.integer(dtype, text)
    if pa.types.is_decimal(dtype):
        return numbers.decimal(dtype.precision, dtype.scale, word or sql_type(dtype))
    if pa.types.is_timestamp(dtype):
        return times.timestamp_us
    if pa.types.is_nested(dtype):
        nested = _nested(dtype, text)
        return _of_json_text(nested) if text else nested
    if pa.types.is_floating(dtype):
        return numbers.double(text) if dtype.bit_width == 64 else numbers.single(text)
    if pa.types.is_boolean(dtype):
        return numbers.boolean(text)
    for matches, convert in _SIMPLE:
        if matches(dtype):
            return convert
    raise SchemaError(f"values of type {sql_type(dtype)} cannot be read", hint="declare the column VARCHAR")


def _nested(dtype: pa.DataType, text: bool) -> Convert:
    if pa.types.is_list(dtype) or pa.types.is_fixed_size_list(dtype):
        size = dtype.list_size if pa.types.is_fixed_size_list(dtype) else None
        return _list(converter(dtype.value_type, text=text), size)
    if pa.types.is_map(dtype):
        return _map(converter(dtype.key_type, text=True), converter(dtype.item_type, text=text))
    if pa.types.is_struct(dtype):
        fields = (dtype.field(i) for i in range(dtype.num_fields))
        return _struct({field.name: converter(field.type, text=text) for field in fields})
    raise SchemaError(f"values of type {sql_type(dtype)} cannot be read", hint="declare the column VARCHAR")


def _of_json_text(convert: Convert) -> Convert:
    """For cells of text, which hold nested values as JSON."""

    def convert_text(value: Any, path: str) -> Any:
        if isinstance(value, str):
            try:
                value = _any_json.decode(value)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise misfit("JSON", value, path) from error
        return convert(value, path)

    return convert_text


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


def _blob(value: Any, path: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise misfit("base64 text", value, path)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise misfit("base64 text", value, path) from error


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
    (pa.types.is_date, times.date),
    (pa.types.is_time64, times.time),
    (pa.types.is_interval, times.interval),
)
