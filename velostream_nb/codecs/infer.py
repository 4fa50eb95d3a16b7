"""The schema of a topic that nobody declared, from its first records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.arrow import user_columns
from velostream_nb.codecs.columns import REFUSALS, plain, times_from_text
from velostream_nb.codecs.json_plan import read_any
from velostream_nb.codecs.verdicts import Misfit
from velostream_nb.codecs.widen import common_type, known_type
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import HIDDEN, TEXT_CELLS
from velostream_nb.core.schema import TIME_NAMES, StreamSchema, guess_time_column
from velostream_nb.core.types import HUGEINT, TIMESTAMP, normal_type

LOOKED_AT = 1_000
"""Records that inference reads at most."""

_INT64 = (-(2**63), 2**63 - 1)


@dataclass(slots=True)
class Seen:
    """What records say of their columns.

    Attributes:
        types: by column, in the order they were met; null where nothing but NULL was seen.
        texts: the texts of columns whose name is one of event time.
        reason: why the first records that are no rows are none.
    """

    types: dict[str, pa.DataType] = field(default_factory=dict)
    texts: dict[str, list[Any]] = field(default_factory=dict)
    reason: str = "there are no records"

    def add(self, name: str, dtype: pa.DataType, texts: Iterable[Any] = ()) -> None:
        """One batch's say on a column."""
        self.types[name] = common_type(self.types.get(name, pa.null()), dtype)
        if name.lower() in TIME_NAMES:
            self.texts.setdefault(name, []).extend(texts)

    def schema(self, topic: str) -> StreamSchema:
        """What is to be made of it; SchemaError when no record was a row."""
        if not self.types:
            raise SchemaError(
                f"cannot tell the columns of {topic!r} from its first records: {self.reason}", hint=_DECLARE
            )
        columns = pa.schema([(name, known_type(dtype)) for name, dtype in self.types.items()])
        return _with_time(columns, self.texts)


def look_at_json(records: Sequence[bytes | None], seen: Seen) -> None:
    """Add what JSON objects say; records that are none are passed over.

    Integers are BIGINT (HUGEINT when they need it), integers mixed with fractions DOUBLE, objects STRUCT, arrays
    lists; what is now one kind and now another is VARCHAR.
    """
    fields: dict[str, list[Any]] = {}
    for record in records[:LOOKED_AT]:
        try:
            value = read_any(record or b"")
        except Misfit as verdict:
            seen.reason = verdict.reason
            continue
        if not isinstance(value, dict):
            seen.reason = "a record is not an object"
            continue
        for name, item in value.items():
            fields.setdefault(name, []).append(item)
    for name, values in fields.items():
        seen.add(name, _type_of(values), (value for value in values if value is not None))


def look_at_typed(batch: pa.RecordBatch, seen: Seen) -> None:
    """Add what a typed batch says, its types made normal; cells of text (CSV) are looked at for what they spell.

    Raises:
        SchemaError: it has no columns, or one that SQL has no type for.
    """
    metadata = batch.schema.metadata or {}
    batch = user_columns(batch.slice(0, LOOKED_AT), good_only=True)
    names = [name for name in batch.schema.names if name not in HIDDEN]
    if not names:
        raise SchemaError("the records have no columns", hint=_DECLARE)
    for name in names:
        cells = batch.column(name)
        if TEXT_CELLS in metadata:
            dtype = _type_of_cells(cells)
        else:
            dtype = cells.type if pa.types.is_null(cells.type) else normal_type(cells.type)
        timed = name.lower() in TIME_NAMES and pa.types.is_string(dtype)
        seen.add(name, dtype, plain(cells).drop_null().to_pylist() if timed else ())


_DECLARE = "declare it: CREATE STREAM name (column TYPE, …)"


def _with_time(columns: pa.Schema, values: dict[str, list[Any]]) -> StreamSchema:
    """Find the event-time column and make it TIMESTAMP; text counts when it always is an ISO-8601 time."""
    for at, column in enumerate(columns):
        is_named = column.name.lower() in TIME_NAMES and pa.types.is_string(column.type)
        if is_named and values.get(column.name) and _all_times(values[column.name]):
            columns = columns.set(at, column.with_type(TIMESTAMP))
    time_column = guess_time_column(columns)
    if time_column is not None:
        at = columns.get_field_index(time_column)
        columns = columns.set(at, columns.field(at).with_type(TIMESTAMP))
    return StreamSchema(columns, time_column, inferred=True)


def _all_times(texts: list[Any]) -> bool:
    try:
        times_from_text(pa.array(texts, pa.string()))
    except REFUSALS:
        return False
    return True


def _type_of(values: Iterable[Any]) -> pa.DataType:
    """The narrowest type that holds all of the JSON values; null when all are None."""
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
    return pa.string() if values else pa.null()


def _type_of_cells(cells: pa.Array) -> pa.DataType:
    """The type that all texts of a CSV column spell; VARCHAR when they spell none, null when there are none."""
    texts = cells.drop_null()
    if len(texts) == 0:
        return pa.null()
    if not pa.types.is_string(texts.type):
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
