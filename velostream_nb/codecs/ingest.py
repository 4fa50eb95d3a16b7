"""What people produce (lists of dicts, pandas, Arrow, raw bytes) as the payloads that a broker keeps."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from velostream_nb.codecs.columns import REFUSALS, convert_each, times_from_ms
from velostream_nb.codecs.values import converter
from velostream_nb.codecs.verdicts import Misfit, TooNarrow
from velostream_nb.codecs.widen import common_type, widened_schema
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import FAULT, HIDDEN, RAW, Payload
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import declared_type, normal_type

_RESERVED = {*HIDDEN, FAULT, RAW}
_NONE = type(None)
_TAKEN = "pass a list of dicts, a pandas DataFrame, an Arrow table, or a list of bytes"


def rows_to_payloads(rows: Any, schema: StreamSchema | None = None) -> list[Payload]:
    """Rows as payloads, in order; [] when there are none.

    Arrow tables (or what exports an Arrow stream) and pandas frames are passed on as they are: the codec casts them.
    Dicts become one typed batch; with a schema, a dict that does not fit keeps its place, marked
    (`core.records.FAULT`) so that it is rejected with its JSON, and the others pass. Without a schema, dicts that do
    not agree on the type of a column become JSON. Bytes and texts are raw records, one each.

    Raises:
        SchemaError: the rows are none of these, or use a reserved column name.
    """
    if isinstance(rows, pa.RecordBatch):
        return _checked([rows])
    if isinstance(rows, pa.Table):
        return _checked(rows.combine_chunks().to_batches())
    pandas = sys.modules.get("pandas")  # a frame can only come from a pandas that was imported
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        return _from_pandas(rows, schema)
    if hasattr(rows, "__arrow_c_stream__"):  # polars, DuckDB relations, …
        return _checked(pa.table(rows).combine_chunks().to_batches())
    if isinstance(rows, (bytes, str)):
        raise _not_rows(rows)
    if isinstance(rows, Mapping):
        if any(isinstance(value, (list, np.ndarray, pa.Array)) for value in rows.values()):
            raise _not_rows(rows, "one dict a row, or pandas.DataFrame(…) for columns")
        rows = [rows]
    if not isinstance(rows, Iterable):
        raise _not_rows(rows)
    items = list(rows)
    if all(isinstance(item, Mapping) for item in items):
        return _from_dicts(items, schema) if items else []
    if all(isinstance(item, (bytes, bytearray, str)) for item in items):
        return [pa.array([i.encode() if isinstance(i, str) else bytes(i) for i in items], pa.binary())]
    if all(isinstance(item, pa.RecordBatch) for item in items):
        return _checked(items)
    kinds = ", ".join(sorted({type(item).__name__ for item in items}))
    raise SchemaError(f"cannot make records of a list of {kinds}", hint=_TAKEN)


def _not_rows(got: object, hint: str = _TAKEN) -> SchemaError:
    return SchemaError(f"cannot make records of {type(got).__name__}", hint=hint)


def _checked(batches: Sequence[pa.RecordBatch]) -> list[Payload]:
    for name in batches[0].schema.names if batches else ():
        _check_name(name)
    return [_without_metadata(batch) for batch in batches if batch.num_rows]


def _without_metadata(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch if batch.schema.metadata is None else batch.replace_schema_metadata(None)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise SchemaError(f"a column is named {name!r}", hint="column names are texts")
    if name in _RESERVED:
        raise SchemaError(f"column name {name!r} is reserved", hint="names of two leading underscores are the engine's")


def _from_pandas(frame: Any, schema: StreamSchema | None) -> list[Payload]:
    if frame.index.name is not None:
        frame = frame.reset_index()
    for name in frame.columns:
        _check_name(name)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (*REFUSALS, TypeError, ValueError):  # a column of mixed objects
        return _from_dicts(frame.to_dict("records"), schema) if len(frame) else []
    return _checked(table.combine_chunks().to_batches())


def _from_dicts(rows: Sequence[Mapping[str, Any]], schema: StreamSchema | None) -> list[Payload]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        _check_name(name)
    if schema is None:
        try:
            return [pa.RecordBatch.from_arrays([pa.array(_values(rows, name)) for name in names], names=names)]
        except (*REFUSALS, TypeError, ValueError):
            return [pa.array([_as_json(row) for row in rows], pa.binary())]
    arrays: list[pa.Array] = []
    bad: dict[int, Misfit] = {}
    for field in schema.columns:
        array, verdicts = _typed(_values(rows, field.name), field)
        if schema.inferred and (wider := _widened(field, schema, verdicts)) is not None:
            array, verdicts = _typed(_values(rows, field.name), wider)
        arrays.append(array)
        for row, verdict in verdicts.items():
            bad.setdefault(row, verdict)
    fields = [(field.name, array.type) for field, array in zip(schema.columns, arrays, strict=True)]
    if bad:
        reasons = [bad[row].reason if row in bad else None for row in range(len(rows))]
        records = [_as_json(rows[row]) if row in bad else None for row in range(len(rows))]
        arrays += [pa.array(reasons, pa.string()), pa.array(records, pa.binary())]
        fields += [(FAULT, pa.string()), (RAW, pa.binary())]
    return [pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))]


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    values = [row.get(name) for row in rows]
    if any(isinstance(value, np.generic) or type(value).__name__ in ("NAType", "NaTType") for value in values):
        return [_plain_value(value) for value in values]
    return values


def _plain_value(value: Any) -> Any:
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    return value.item() if isinstance(value, np.generic) else value


def _widened(field: pa.Field, schema: StreamSchema, verdicts: Mapping[int, Misfit]) -> pa.Field | None:
    """The field as wide as these numbers need it, which whoever reads them then finds out; None: it is wide enough."""
    paths: dict[str, pa.DataType] = {}
    for verdict in verdicts.values():
        if isinstance(verdict, TooNarrow):
            paths[verdict.path] = common_type(paths.get(verdict.path, verdict.needs), verdict.needs)
    wider: pa.Field = widened_schema(schema, paths).field(field.name)
    return None if wider.type.equals(field.type) else wider


def _typed(values: list[Any], field: pa.Field) -> tuple[pa.Array, dict[int, Misfit]]:
    """The values by the rules of JSON (`values.converter`); as one column where their Python types are plain."""
    dtype, word = normal_type(field.type), declared_type(field)
    if not word and (column := _plain_column(values, dtype)) is not None:
        return column, {}
    values = [_utf8(value) for value in values] if pa.types.is_string(dtype) else values
    return convert_each(values, dtype, converter(dtype, word=word), field.name)


def _plain_column(values: list[Any], dtype: pa.DataType) -> pa.Array | None:
    """The column at once; None when a value has an unusual type or is out of range, and each has to be looked at."""
    kinds = set(map(type, values))
    try:
        if kinds <= _PLAIN.get(dtype, set()):
            return pa.array(values, dtype)
        if pa.types.is_timestamp(dtype) and kinds <= {int, _NONE}:
            return times_from_ms(pa.array(values, pa.int64()), dtype)
    except REFUSALS:
        return None
    return None


_PLAIN: dict[pa.DataType, set[type]] = {
    pa.int64(): {int, _NONE},
    pa.float64(): {int, float, _NONE},
    pa.string(): {str, _NONE},
    pa.bool_(): {bool, _NONE},
}


def _utf8(value: Any) -> Any:
    """Text as bytes where it cannot be UTF-8, so that the converter finds the fault and not pyarrow."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
    return value


def _as_json(row: Mapping[str, Any]) -> bytes:
    """The row as JSON, whatever it holds: what JSON has no form for is written as its Python text."""
    try:
        return _encoder.encode({str(name): _plain_value(value) for name, value in row.items()})
    except (TypeError, ValueError, RecursionError):
        return json.dumps({str(name): repr(value) for name, value in row.items()}).encode()


def _as_text(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _plain_value(value)
    if isinstance(value, dt.timedelta):
        return str(value)
    return repr(value)


_encoder = msgspec.json.Encoder(enc_hook=_as_text, decimal_format="number")
