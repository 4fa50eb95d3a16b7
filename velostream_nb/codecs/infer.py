"""The schema of a topic that nobody declared, from its first records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.arrow import user_columns
from velostream_nb.codecs.columns import REFUSALS, times_from_text
from velostream_nb.codecs.json_plan import read_any
from velostream_nb.codecs.values import Misfit
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import HIDDEN, TEXT_CELLS
from velostream_nb.core.schema import TIME_NAMES, StreamSchema, guess_time_column
from velostream_nb.core.types import HUGEINT, TIMESTAMP, normal_type

LOOKED_AT = 1_000
"""Records that inference reads at most."""

_INT64 = (-(2**63), 2**63 - 1)


def infer_json(records: Sequence[bytes | None], topic: str) -> StreamSchema:
    """The schema of JSON objects; records that are none are passed over.

    Integers are BIGINT (HUGEINT when they need it), integers mixed with fractions DOUBLE, objects STRUCT, arrays
    lists; what is always null, or now one kind and now another, is VARCHAR.

    Raises:
        SchemaError: no record is a JSON object.
    """
    reason = "there are no records"
    fields: dict[str, list[Any]] = {}
    for record in records[:LOOKED_AT]:
        try:
            value = read_any(record or b"")
        except Misfit as verdict:
            reason = verdict.reason
            continue
        if not isinstance(value, dict):
            reason = "a record is not an object"
            continue
        for name, item in value.items():
            fields.setdefault(name, []).append(item)
    if not fields:
        raise SchemaError(f"cannot tell the columns of {topic!r} from its first records: {reason}", hint=_DECLARE)
    columns = pa.schema([(name, _type_of(values)) for name, values in fields.items()])
    return _with_time(columns, {name: [v for v in fields[name] if v is not None] for name in columns.names})


def infer_typed(batch: pa.RecordBatch) -> StreamSchema:
    """The schema of a typed batch, its types made normal; cells of text (CSV) are looked at for what they spell.

    Raises:
        SchemaError: it has no columns, or one that SQL has no type for.
    """
    metadata = batch.schema.metadata or {}
    batch = user_columns(batch.slice(0, LOOKED_AT), good_only=True)
    names = [name for name in batch.schema.names if name not in HIDDEN]
    if not names:
        raise SchemaError("the records have no columns", hint=_DECLARE)
    columns = []
    for name in names:
        field = batch.schema.field(name)
        dtype = _type_of_cells(batch.column(name)) if TEXT_CELLS in metadata else normal_type(field.type)
        columns.append(pa.field(name, dtype))
    schema = pa.schema(columns)
    texts = {n: batch.column(n).drop_null().to_pylist() for n in names if pa.types.is_string(schema.field(n).type)}
    return _with_time(schema, texts)


_DECLARE = "declare it: CREATE STREAM name (column TYPE, …)"


def _with_time(columns: pa.Schema, values: dict[str, list[Any]]) -> StreamSchema:
    """Find the event-time column and make it TIMESTAMP; text counts when it always is an ISO-8601 time."""
    for at, field in enumerate(columns):
        is_named = field.name.lower() in TIME_NAMES and pa.types.is_string(field.type)
        if is_named and values.get(field.name) and _all_times(values[field.name]):
            columns = columns.set(at, field.with_type(TIMESTAMP))
    time_column = guess_time_column(columns)
    if time_column is not None:
        at = columns.get_field_index(time_column)
        columns = columns.set(at, columns.field(at).with_type(TIMESTAMP))
    return StreamSchema(columns, time_column)


def _all_times(texts: list[Any]) -> bool:
    try:
        times_from_text(pa.array(texts, pa.string()))
    except REFUSALS:
        return False
    return True


def _type_of(values: Iterable[Any]) -> pa.DataType:
    """The narrowest type that holds all of the JSON values; None counts for nothing."""
    values = [value for value in values if value is not None]
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return pa.int64() if all(_INT64[0] <= v <= _INT64[1] for v in values) else HUGEINT
    if kinds and kinds <= {int, Decimal}:
        return pa.float64()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {list}:
        return pa.list_(_type_of(item for value in values for item in value))
    if kinds == {dict} and any(values):
        fields: dict[str, list[Any]] = {}
        for value in values:
            for name, item in value.items():
                fields.setdefault(name, []).append(item)
        return pa.struct([(name, _type_of(items)) for name, items in fields.items()])
    return pa.string()


def _type_of_cells(cells: pa.Array) -> pa.DataType:
    """The type that all texts of a CSV column spell; VARCHAR when they spell none."""
    texts = cells.drop_null()
    if len(texts) == 0 or not pa.types.is_string(texts.type):
        return normal_type(cells.type)
    if pc.all(pc.match_substring_regex(texts, r"^(?i:true|false)$")).as_py():
        return pa.bool_()
    for pattern, dtype in (
        (r"^[+-]?[0-9]{1,18}$", pa.int64()),
        (r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$", pa.float64()),
    ):
        # a leading zero is kept: it is the mark of a code, not of a number
        if pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            coded = pc.any(pc.match_substring_regex(texts, r"^[+-]?0[0-9]")).as_py()
            return pa.string() if coded else dtype
    return pa.string()
