"""The last step of every decode: NOT NULL, event time, position, and the rows that did not make it set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.columns import of_numpy
from velostream_nb.codecs.times import MAX_TIME_MS, MIN_TIME_MS
from velostream_nb.codecs.verdicts import Misfit, TooNarrow, out_of_range
from velostream_nb.codecs.widen import common_type
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.memo import Memo
from velostream_nb.core.records import OP, POS, TS, Decoded, RecordSet, Rejected, pack_position
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import declared_type, normal_type, sql_type
from velostream_nb.core.vectors import integers_in, valid_in, vector

MAX_RAW_BYTES = 64 * 1024
"""How much of a rejected record is kept."""

HIDDEN_FIELDS = [pa.field(TS, pa.int64()), pa.field(POS, pa.int64())]
"""As the engine declares them: a table of another schema would have to be made anew."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a decode has to produce: fixed for a schema and a choice of columns.

    Attributes:
        output: the fields of the batch, in the schema's order.
        fields: those and, if it is not among them, the event time's: what has to be decoded.
        types: of `fields`, as they are used inside (`core.types.normal_type`), each with what was declared beyond it.
        required: names of columns that must not be NULL.
        batch: the schema of the batch, hidden columns included.
    """

    schema: StreamSchema
    output: tuple[pa.Field, ...]
    fields: tuple[pa.Field, ...]
    types: tuple[tuple[pa.DataType, str], ...]
    required: tuple[str, ...]
    batch: pa.Schema


def target_of(schema: StreamSchema, columns: Sequence[str] | None) -> Target:
    """The target of a decode; SchemaError for a column that the schema lacks."""
    # asked for with every run of records, however small: as long as the memo holds the schema its address is its own
    key = id(schema), None if columns is None else tuple(columns)
    return _targets.of(key, lambda: _target(schema, columns), schema, 0)


def _target(schema: StreamSchema, columns: Sequence[str] | None) -> Target:
    output = fields = tuple(schema.columns)
    if columns is not None:
        asked = {schema.require(column).name for column in columns}
        output = fields = tuple(field for field in schema.columns if field.name in asked)
    required = [field.name for field in output if not field.nullable]
    if (time := schema.time_column) is not None:
        required.append(time)
        if all(field.name != time for field in output):
            fields = (*output, schema.columns.field(time))
    types = tuple((normal_type(field.type), declared_type(field)) for field in fields)
    return Target(schema, output, fields, types, tuple(required), pa.schema([*output, *HIDDEN_FIELDS]))


def assemble(
    records: RecordSet,
    target: Target,
    arrays: Mapping[str, pa.Array],
    *,
    rows: npt.NDArray[np.int64] | None,
    bad: dict[int, Misfit],
    raw: Callable[[int], bytes],
) -> Decoded:
    """Make the batch.

    Args:
        arrays: the target's fields by name; perhaps `OP` beside them.
        rows: which record each array row comes from; None when it is every record, in order.
        bad: verdicts by record number; those of rows in `arrays` are taken out here.
        raw: the bytes of a record, asked for rejected ones only.
    """
    schema = target.schema
    for name in target.required:
        if arrays[name].null_count:
            for row in np.flatnonzero(~valid_in(arrays[name])).tolist():
                bad.setdefault(row if rows is None else int(rows[row]), Misfit(f"{name} is missing", name))
    times, bad_times = _event_times(records, schema, arrays, rows)
    for row, verdict in bad_times.items():
        bad.setdefault(row if rows is None else int(rows[row]), verdict)
    columns = [arrays[field.name] for field in target.output]
    columns += [times, _positions(records, rows)]
    fields = target.batch
    if OP in arrays:
        columns.append(arrays[OP])
        fields = fields.append(pa.field(OP, pa.string()))
    batch = pa.RecordBatch.from_arrays(columns, schema=fields)
    if bad:
        good = np.ones(records.rows, np.bool_)
        good[list(bad)] = False
        batch = batch.filter(vector(good if rows is None else good[rows]))
    widen: dict[str, pa.DataType] = {}
    for verdict in bad.values() if schema.inferred else ():
        if isinstance(verdict, TooNarrow):
            needs = verdict.needs
            widen[verdict.path] = common_type(widen.get(verdict.path, needs), needs)
    return Decoded(batch, _rejections(records, bad, raw), widen)


def _positions(records: RecordSet, rows: npt.NDArray[np.int64] | None) -> pa.Array:
    offsets = records.offsets if rows is None else records.offsets[rows]
    base = pack_position(records.partition, 0)
    return of_numpy(offsets | np.int64(base) if base else offsets, pa.int64())


def _rejections(records: RecordSet, bad: Mapping[int, Misfit], raw: Callable[[int], bytes]) -> list[Rejected]:
    return [
        Rejected(
            records.topic,
            records.partition,
            int(records.offsets[row]),
            bad[row].reason,
            bad[row].path,
            raw(row)[:MAX_RAW_BYTES],
        )
        for row in sorted(bad)
    ]


def _event_times(
    records: RecordSet, schema: StreamSchema, arrays: Mapping[str, pa.Array], rows: npt.NDArray[np.int64] | None
) -> tuple[pa.Array, dict[int, Misfit]]:
    """Event times in µs (0 where there is none), and verdicts on times that make no sense, by array row."""
    if schema.time_column is None:
        times_ms = records.timestamps_ms if rows is None else records.timestamps_ms[rows]
        return of_numpy(times_ms * 1_000, pa.int64()), {}
    name, column = schema.time_column, arrays[schema.time_column]
    if pa.types.is_timestamp(column.type):
        return _without_nulls(column.view(pa.int64())), {}
    if pa.types.is_date(column.type):
        return _without_nulls(column.cast(pa.timestamp("us")).view(pa.int64())), {}
    if not pa.types.is_integer(column.type):
        raise SchemaError(
            f"event time {name!r} is {sql_type(column.type)}", hint="declare it TIMESTAMP, or BIGINT for epoch ms"
        )
    times_ms = integers_in(_without_nulls(column.cast(pa.int64(), safe=False)))
    outside = np.flatnonzero((times_ms < MIN_TIME_MS) | (times_ms > MAX_TIME_MS))
    verdicts = {row: out_of_range(int(times_ms[row]), "epoch milliseconds", name) for row in outside.tolist()}
    return of_numpy(np.clip(times_ms, MIN_TIME_MS, MAX_TIME_MS) * 1_000, pa.int64()), verdicts


def _without_nulls(array: pa.Array) -> pa.Array:
    return pc.fill_null(array, 0) if array.null_count else array


_targets: Memo[Target] = Memo(entries=256, rows=0)
