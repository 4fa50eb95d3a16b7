"""DuckDB type names and Arrow types, both ways: the one table that parser, codecs and engine share.

Inside, one Arrow type stands for each SQL type (``timestamp[us]`` for every naive timestamp, ``string`` for every
text), so that two batches of one stream always agree. `normal_type` maps what a user brings onto these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NoReturn

import pyarrow as pa

from velostream_nb.core.errors import SchemaError, did_you_mean

HUGEINT = pa.decimal128(38, 0)
"""DuckDB hands HUGEINT to Arrow as this, and reads it back as DECIMAL(38,0)."""

TIMESTAMP = pa.timestamp("us")
"""Event times and every other naive timestamp: UTC by convention."""

TIMESTAMPTZ = pa.timestamp("us", tz="UTC")

_NAMES: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BLOB": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": TIMESTAMPTZ,
    "INTERVAL": pa.month_day_nano_interval(),
}

_ALIASES = {
    **dict.fromkeys(("BOOL", "LOGICAL"), "BOOLEAN"),
    **dict.fromkeys(("INT1",), "TINYINT"),
    **dict.fromkeys(("INT2", "INT16", "SHORT"), "SMALLINT"),
    **dict.fromkeys(("INT", "INT4", "INT32", "SIGNED", "INTEGRAL"), "INTEGER"),
    **dict.fromkeys(("INT8", "INT64", "LONG"), "BIGINT"),
    **dict.fromkeys(("UINT8",), "UTINYINT"),
    **dict.fromkeys(("UINT16",), "USMALLINT"),
    **dict.fromkeys(("UINT32",), "UINTEGER"),
    **dict.fromkeys(("UINT64",), "UBIGINT"),
    **dict.fromkeys(("REAL", "FLOAT4"), "FLOAT"),
    **dict.fromkeys(("FLOAT8", "DOUBLE PRECISION"), "DOUBLE"),
    **dict.fromkeys(("TEXT", "STRING", "CHAR", "BPCHAR", "NVARCHAR", "UUID", "JSON", "ENUM"), "VARCHAR"),
    **dict.fromkeys(("BYTEA", "VARBINARY", "BINARY", "BYTES"), "BLOB"),
    **dict.fromkeys(("DATETIME", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_US", "TIMESTAMP_NS"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMP WITHOUT TIME ZONE",), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMPTZ",), "TIMESTAMP WITH TIME ZONE"),
}
_DECIMALS = ("DECIMAL", "NUMERIC", "DEC")
_NESTED = ("STRUCT", "ROW", "MAP", "LIST", "ARRAY")
_TOLD_APART = {"UUID": "UUID", "JSON": "JSON", "HUGEINT": "HUGEINT", "INT128": "HUGEINT", "ENUM": "ENUM"}
"""Types that share their Arrow type with another one."""
_DECLARED = b"velo.type"
"""Key of a field's metadata."""
_LENGTHS = ("VARCHAR", "CHAR", "TEXT", "STRING", "BPCHAR", "NVARCHAR", "TIMESTAMP", "TIMESTAMPTZ", "TIME", "ENUM")
"""Types whose parameters (a length, a precision, a list of values) do not change how a value is held."""

_TOKEN = re.compile(r"""\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d+)|"(?P<quoted>(?:[^"]|"")*)"|"""
                    r"""(?P<text>'(?:[^']|'')*')|(?P<mark>[(),\[\]<>:]))""")  # fmt: skip
_MOST_DIGITS = 38
_EXTENSIONS = {"arrow.uuid": "VARCHAR", "arrow.json": "VARCHAR", "arrow.bool8": "BOOLEAN"}
"""Arrow's own extension types that records may bring."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_REVERSE = {dtype: name for name, dtype in _NAMES.items()}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of a DuckDB type name such as ``DECIMAL(10,2)``, ``INTEGER[]`` or ``STRUCT(a INT, b TEXT)``.

    Case does not matter. UUID, JSON and ENUM are held as text; every naive TIMESTAMP as microseconds; HUGEINT as
    ``decimal128(38, 0)``.

    Raises:
        SchemaError: no such type; the hint has near names.
    """
    if (plain := _NAMES.get(name)) is not None:
        return plain
    return _TypeReader(name).read()


def sql_type(dtype: pa.DataType) -> str:
    """The DuckDB name of an Arrow type; forms that mean the same (dictionary, large_string, ns) give one name.

    Raises:
        SchemaError: DuckDB has no such type.
    """
    if (name := _REVERSE.get(dtype)) is not None:
        return name
    for matches, describe in _DESCRIPTIONS:
        if matches(dtype):
            return describe(dtype)
    return _no_type(dtype)


def _no_type(dtype: pa.DataType) -> NoReturn:
    raise SchemaError(f"no SQL type for Arrow type {dtype}", hint="cast it first")


def normal_type(dtype: pa.DataType) -> pa.DataType:
    """The one Arrow type used inside for this type: text as string, timestamps in µs, dictionaries unpacked."""
    return dtype if dtype in _REVERSE else arrow_type(sql_type(dtype))


def column_types(schema: pa.Schema) -> dict[str, str]:
    """Column name to DuckDB type name, in order."""
    return {field.name: field_type(field) for field in schema}


def arrow_field(name: str, type_name: str) -> pa.Field:
    """A column of that DuckDB type; what its Arrow type does not tell (`declared_type`) is kept beside it.

    Raises:
        SchemaError: see `arrow_type`.
    """
    dtype, word = arrow_type(type_name), type_name.strip()
    kind = re.match(r"\w*", word)[0].upper()  # type: ignore[index]  # an empty match is one
    if kind not in _TOLD_APART or word.endswith("]"):
        return pa.field(name, dtype)
    if kind == "ENUM":
        if not (values := enum_values(word)):
            return pa.field(name, dtype)  # any text
        word = f"ENUM({', '.join(_quoted_text(value) for value in values)})"
    else:
        word = _TOLD_APART[kind]
    return pa.field(name, dtype, metadata={_DECLARED: word.encode()})


def declared_type(field: pa.Field) -> str:
    """UUID, JSON, HUGEINT or ENUM('a', 'b') where the column was declared so; '' for types that Arrow tells apart."""
    return ((field.metadata or {}).get(_DECLARED) or b"").decode()


def field_type(field: pa.Field) -> str:
    """The DuckDB type name of a column, as it was declared."""
    return declared_type(field) or sql_type(field.type)


def enum_values(type_name: str) -> list[str]:
    """The values of ``ENUM('a', 'b')``, in order; [] for a type that is none."""
    if not type_name.upper().startswith("ENUM"):
        return []
    return [text[1:-1].replace("''", "'") for text in re.findall(r"'(?:[^']|'')*'", type_name)]


def _quoted_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _sql_struct(dtype: pa.DataType) -> str:
    fields = (dtype.field(i) for i in range(dtype.num_fields))
    return f"STRUCT({', '.join(f'{_quoted(f.name)} {sql_type(f.type)}' for f in fields)})"


def _quoted(name: str) -> str:
    if _PLAIN_NAME.match(name):
        return name
    return '"' + name.replace('"', '""') + '"'


_DESCRIPTIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], str]], ...] = (
    (lambda t: pa.types.is_decimal(t) and t.precision <= _MOST_DIGITS, lambda t: f"DECIMAL({t.precision},{t.scale})"),
    (lambda t: isinstance(t, pa.BaseExtensionType), lambda t: _EXTENSIONS.get(t.extension_name) or _no_type(t)),
    (pa.types.is_run_end_encoded, lambda t: sql_type(t.value_type)),
    (pa.types.is_dictionary, lambda t: sql_type(t.value_type)),
    (pa.types.is_large_string, lambda _: "VARCHAR"),
    (pa.types.is_string_view, lambda _: "VARCHAR"),
    (pa.types.is_null, lambda _: "VARCHAR"),
    (pa.types.is_large_binary, lambda _: "BLOB"),
    (pa.types.is_binary_view, lambda _: "BLOB"),
    (pa.types.is_fixed_size_binary, lambda _: "BLOB"),
    (pa.types.is_float16, lambda _: "FLOAT"),
    (pa.types.is_date, lambda _: "DATE"),
    (pa.types.is_time, lambda _: "TIME"),
    (pa.types.is_timestamp, lambda t: "TIMESTAMP" if t.tz is None else "TIMESTAMP WITH TIME ZONE"),
    (pa.types.is_duration, lambda _: "INTERVAL"),
    (pa.types.is_fixed_size_list, lambda t: f"{sql_type(t.value_type)}[{t.list_size}]"),
    (pa.types.is_list, lambda t: f"{sql_type(t.value_type)}[]"),
    (pa.types.is_large_list, lambda t: f"{sql_type(t.value_type)}[]"),
    (pa.types.is_list_view, lambda t: f"{sql_type(t.value_type)}[]"),
    (pa.types.is_large_list_view, lambda t: f"{sql_type(t.value_type)}[]"),
    (pa.types.is_map, lambda t: f"MAP({sql_type(t.key_type)}, {sql_type(t.item_type)})"),
    (pa.types.is_struct, _sql_struct),
)


class _TypeReader:
    """Recursive descent over one type name."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._scan(text))
        self.at = 0

    def read(self) -> pa.DataType:
        """The whole text as one type."""
        dtype = self._type()
        if self.at < len(self.tokens):
            raise self._error(f"unexpected {self.tokens[self.at][1]!r}")
        return dtype

    def _scan(self, text: str) -> Iterator[tuple[str, str]]:
        end, stop = 0, len(text.rstrip())
        while end < stop:
            match = _TOKEN.match(text, end)
            if match is None:
                raise self._error(f"unexpected {text[end:].strip()[:1]!r}")
            end = match.end()
            kind = match.lastgroup or ""
            value = match.group(kind)
            yield kind, value.replace('""', '"') if kind == "quoted" else value

    def _type(self) -> pa.DataType:
        dtype = self._base(self._word())
        while self._take("["):
            if self.at < len(self.tokens) and self.tokens[self.at][0] == "number":
                dtype = pa.list_(dtype, self._number())
            else:
                dtype = pa.list_(dtype)
            self._need("]")
        return dtype

    def _base(self, word: str) -> pa.DataType:
        if word in _DECIMALS:
            return self._decimal()
        if word in ("HUGEINT", "INT128"):
            return HUGEINT
        if word in ("STRUCT", "ROW"):
            return self._struct()
        if word == "MAP":
            self._need("(")
            key = self._type()
            self._need(",")
            dtype = pa.map_(key, self._type())
            self._need(")")
            return dtype
        if word in ("LIST", "ARRAY"):
            self._need("(")
            dtype = pa.list_(self._type())
            self._need(")")
            return dtype
        name = self._long_name(word)
        if name not in _NAMES:
            known = [*_NAMES, *_ALIASES, *_DECIMALS, *_NESTED, "HUGEINT"]
            raise SchemaError(f"unknown type {self.text!r}", hint=did_you_mean(word, known))
        return _NAMES[name]

    def _long_name(self, word: str) -> str:
        """`word` with the words that belong to it (``WITH TIME ZONE``) and without a length, as a canonical name."""
        if word in _LENGTHS and self._take("("):
            while not self._take(")"):
                if self.at >= len(self.tokens):
                    raise self._error("a closing ) is missing")
                self.at += 1
        for tail in (("PRECISION",), ("WITH", "TIME", "ZONE"), ("WITHOUT", "TIME", "ZONE"), ("VARYING",)):
            ahead = tuple(value.upper() for _, value in self.tokens[self.at : self.at + len(tail)])
            if ahead == tail:
                self.at += len(tail)
                word = word if tail == ("VARYING",) else f"{word} {' '.join(tail)}"
        return _ALIASES.get(word, word)

    def _decimal(self) -> pa.DataType:
        precision, scale = 18, 3  # DuckDB's defaults
        if self._take("("):
            precision, scale = self._number(), 0
            if self._take(","):
                scale = self._number()
            self._need(")")
        if not (1 <= precision <= 38 and scale <= precision):
            raise self._error("a DECIMAL has 1 to 38 digits, and not more of them behind the point")
        return pa.decimal128(precision, scale)

    def _struct(self) -> pa.DataType:
        self._need("(")
        fields = []
        while True:
            kind, name = self._next("a field name")
            if kind not in ("word", "quoted"):
                raise self._error(f"expected a field name, got {name!r}")
            self._take(":")
            fields.append(pa.field(name, self._type()))
            if self._take(")"):
                return pa.struct(fields)
            self._need(",")

    def _next(self, wanted: str) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise self._error(f"expected {wanted} at the end")
        self.at += 1
        return self.tokens[self.at - 1]

    def _word(self) -> str:
        kind, value = self._next("a type")
        if kind != "word":
            raise self._error(f"expected a type, got {value!r}")
        return value.upper()

    def _number(self) -> int:
        kind, value = self._next("a number")
        if kind != "number":
            raise self._error(f"expected a number, got {value!r}")
        return int(value)

    def _take(self, mark: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("mark", mark):
            self.at += 1
            return True
        return False

    def _need(self, mark: str) -> None:
        kind, value = self._next(repr(mark))
        if (kind, value) != ("mark", mark):
            raise self._error(f"expected {mark!r}, got {value!r}")

    def _error(self, what: str) -> SchemaError:
        return SchemaError(f"cannot read type {self.text!r}: {what}", hint="for example DECIMAL(10,2) or INTEGER[]")
