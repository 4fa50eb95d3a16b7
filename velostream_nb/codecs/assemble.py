"""The last step of every decode: NOT NULL, event time, position, and the rows that did not make it set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.times import MAX_TIME_MS, MIN_TIME_MS
from velostream_nb.codecs.verdicts import Misfit, TooNarrow, out_of_range
from velostream_nb.codecs.widen import common_type
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import OP, POS, TS, Decoded, RecordSet, Rejected, pack_position
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import sql_type

MAX_RAW_BYTES = 64 * 1024
"""How much of a rejected record is kept."""

HIDDEN_FIELDS = [pa.field(TS, pa.int64(), nullable=False), pa.field(POS, pa.int64(), nullable=False)]


def wanted_fields(schema: StreamSchema, columns: Sequence[str] | None) -> list[pa.Field]:
    """The fields a decode has to produce, in the schema's order; SchemaError for a column that it lacks."""
    if columns is None:
        return list(schema.columns)
    asked = {schema.require(column).name for column in columns}
    return [field for field in schema.columns if field.name in asked]


def assemble(
    records: RecordSet,
    schema: StreamSchema,
    output: Sequence[pa.Field],
    arrays: Mapping[str, pa.Array],
    *,
    rows: npt.NDArray[np.int64] | None,
    bad: dict[int, Misfit],
    raw: Callable[[int], bytes],
    size: int,
) -> Decoded:
    """Make the batch.

    Args:
        output: the fields of the batch; `arrays` may hold the time column beside them.
        rows: which record each array row comes from; None when it is every record, in order.
        bad: verdicts by record number; those of rows in `arrays` are taken out here.
        raw: the bytes of a record, asked for rejected ones only.
        size: bytes of the payload as read.
    """
    count = len(records.offsets) if rows is None else len(rows)
    required = [field.name for field in output if not field.nullable]
    if schema.time_column is not None:
        required.append(schema.time_column)
    for name in required:
        if arrays[name].null_count:
            for row in np.flatnonzero(arrays[name].is_null().to_numpy(zero_copy_only=False)).tolist():
                bad.setdefault(row if rows is None else int(rows[row]), Misfit(f"{name} is missing", name))
    times, bad_times = _event_times(records, schema, arrays, rows)
    for row, verdict in bad_times.items():
        bad.setdefault(row if rows is None else int(rows[row]), verdict)
    offsets = records.offsets if rows is None else records.offsets[rows]
    columns = [arrays[field.name] for field in output]
    columns += [pa.array(times), pa.array(offsets | np.int64(pack_position(records.partition, 0)))]
    fields = [*output, *HIDDEN_FIELDS]
    if OP in arrays:
        columns.append(arrays[OP])
        fields.append(pa.field(OP, pa.string()))
    batch = pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
    if bad:
        numbers = np.arange(count) if rows is None else rows
        keep = ~np.isin(numbers, np.fromiter(bad, np.int64, len(bad)))
        batch = batch.filter(pa.array(keep))
    widen: dict[str, pa.DataType] = {}
    for verdict in bad.values() if schema.inferred else ():
        if isinstance(verdict, TooNarrow):
            needs = verdict.needs
            widen[verdict.path] = common_type(widen.get(verdict.path, needs), needs)
    return Decoded(batch, _rejections(records, bad, raw), size, widen)


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
) -> tuple[npt.NDArray[np.int64], dict[int, Misfit]]:
    """Event times in µs (0 where there is none), and verdicts on times that make no sense, by array row."""
    if schema.time_column is None:
        times_ms = records.timestamps_ms if rows is None else records.timestamps_ms[rows]
        return times_ms * 1_000, {}
    name, column = schema.time_column, arrays[schema.time_column]
    if pa.types.is_timestamp(column.type):
        return _int64(column.view(pa.int64())), {}
    if pa.types.is_date(column.type):
        return _int64(column.cast(pa.timestamp("us")).view(pa.int64())), {}
    if not pa.types.is_integer(column.type):
        raise SchemaError(
            f"event time {name!r} is {sql_type(column.type)}", hint="declare it TIMESTAMP, or BIGINT for epoch ms"
        )
    times_ms = _int64(column.cast(pa.int64(), safe=False))
    outside = np.flatnonzero((times_ms < MIN_TIME_MS) | (times_ms > MAX_TIME_MS))
    verdicts = {row: out_of_range(int(times_ms[row]), "epoch milliseconds", name) for row in outside.tolist()}
    return np.clip(times_ms, MIN_TIME_MS, MAX_TIME_MS) * 1_000, verdicts


def _int64(array: pa.Array) -> npt.NDArray[np.int64]:
    filled: npt.NDArray[np.int64] = (pc.fill_null(array, 0) if array.null_count else array).to_numpy()
    return filled
