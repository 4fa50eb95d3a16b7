"""Typed payloads: batches that were produced as Arrow, pandas or read from CSV and Parquet, cast to a schema."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.assemble import assemble, target_of
from velostream_nb.codecs.columns import cast_column
from velostream_nb.codecs.json_encode import encode_rows
from velostream_nb.codecs.verdicts import Misfit
from velostream_nb.core.records import FAULT, OP, RAW, Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema


def decode_typed(records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
    """Cast a typed payload column by column; what every codec does with a `RecordBatch`.

    A column that has the right type already is passed on without a copy; one that is missing becomes NULL; extra
    ones are ignored. A row that does not fit, or that its reader marked (`core.records.FAULT`), is rejected with its
    JSON (or the text it was read from) as raw bytes. `OP`, where the payload has it, follows `POS`.
    """
    batch: pa.RecordBatch = records.payload
    target = target_of(schema, columns)
    written = batch.schema
    bad = _faults(batch)
    arrays: dict[str, pa.Array] = {}
    for field, (dtype, word) in zip(target.fields, target.types, strict=True):
        name = field.name
        at = written.get_field_index(name)
        if at < 0:
            arrays[name] = pa.nulls(batch.num_rows, dtype)
            continue
        arrays[name], verdicts = cast_column(batch.column(at), dtype, name, word)
        for row, verdict in verdicts.items():
            bad.setdefault(row, verdict)
    if (at := written.get_field_index(OP)) >= 0:
        arrays[OP], _ = cast_column(batch.column(at), pa.string(), OP)
    return assemble(records, target, arrays, rows=None, bad=bad, raw=partial(_raw, batch))


def user_columns(batch: pa.RecordBatch, *, good_only: bool = False) -> pa.RecordBatch:
    """The batch without the columns that mark records which are no rows, and (`good_only`) without those records."""
    if batch.schema.get_field_index(FAULT) < 0:
        return batch
    if good_only:
        batch = batch.filter(pc.is_null(batch.column(FAULT)))
    return batch.drop_columns([FAULT, RAW])


def _faults(batch: pa.RecordBatch) -> dict[int, Misfit]:
    if batch.schema.get_field_index(FAULT) < 0:
        return {}
    reasons = batch.column(FAULT).to_pylist()
    return {row: Misfit(reason, "") for row, reason in enumerate(reasons) if reason is not None}


def _raw(batch: pa.RecordBatch, row: int) -> bytes:
    record = batch.slice(row, 1)
    if batch.schema.get_field_index(RAW) >= 0:
        if (raw := record.column(RAW)[0].as_py()) is not None:
            return bytes(raw)
        record = record.drop_columns([FAULT, RAW])
    return bytes(encode_rows(record, end="}")[0].as_py().encode())
