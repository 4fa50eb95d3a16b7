"""Changelogs as records: what a delete looks like in a topic, and how it is read.

===========  =========================================  ==================================================
changelog    typed records (this process, Arrow)         raw records (JSON)
===========  =========================================  ==================================================
upsert       `OP` 'delete', the key's columns filled     a tombstone: no value, the key as the record's key
retract      `OP` 'insert' or 'delete', the whole row    the whole row, with a field ``op`` beside its columns
===========  =========================================  ==================================================

A record that says nothing is an upsert, or an insert.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.contract import Codec
from velostream_nb.codecs.keys import key_of_text, texts_of_keys
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import OP, POS, TS, Decoded, RecordSet, Rejected, op_name, unpack_position
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.vectors import flags_in

SEPARATOR = "|"
"""Between the columns of a composite record key; a backslash stands before one that belongs to a value."""


def record_keys(batch: pa.RecordBatch, key: Sequence[str]) -> pa.BinaryArray | None:
    """Record keys, by which a topic is partitioned: the key column's text, or the columns' texts joined."""
    if not key:
        return None
    texts = [texts_of_keys(batch.column(name)) for name in key]
    if len(texts) > 1:
        texts = [
            pc.binary_join_element_wise(*(pc.replace_substring_regex(t, r"[\\|]", r"\\\0") for t in texts), SEPARATOR)
        ]
    return texts[0].cast(pa.binary())


def record_key(texts: Sequence[str]) -> bytes:
    """One record's key, as `record_keys` makes it, of its columns' texts."""
    if len(texts) == 1:
        return texts[0].encode()
    return SEPARATOR.join(re.sub(r"[\\|]", r"\\\g<0>", text) for text in texts).encode()


def key_texts(raw: bytes, key: Sequence[str]) -> list[str]:
    """The texts of the key's columns in a record key; also from a JSON object, as other systems write them.

    Raises:
        SchemaError: it has not as many parts as the key has columns, or is not UTF-8.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise SchemaError(f"the record's key is not UTF-8: {error.reason}") from error
    if text.startswith("{") and (named := _json_key(text, key)) is not None:
        return named
    if len(key) == 1:
        return [text]
    parts = _parts(text)
    if len(parts) != len(key):
        raise SchemaError(f"the record's key has {len(parts)} parts, the table's key {len(key)}: {', '.join(key)}")
    return parts


def decode_changes(codec: Codec, records: RecordSet, schema: StreamSchema, columns: Sequence[str]) -> Decoded:
    """Decode a run of a changelog topic: what `Codec.decode` gives, and `OP` as the last column.

    Args:
        schema: its `changelog` says how the records are to be read.
        columns: the user's columns that are wanted. Of an upsert changelog's deletes, those of the key are filled.
    """
    if schema.changelog == "retract":
        return _bag(codec, records, schema, columns)
    gone = _deletes(records, schema)
    if not gone.any():
        return _with_op(codec.decode(records, schema, columns), "upsert")
    rows = _with_op(codec.decode(_pick(records, ~gone), schema, columns), "upsert")
    deletes = _with_op(_decode_deletes(codec, _pick(records, gone), schema, columns), "delete")
    table = pa.Table.from_batches([rows.batch, deletes.batch]).sort_by(POS).combine_chunks()
    (batch,) = table.to_batches() or [rows.batch]
    rejected = sorted([*rows.rejected, *deletes.rejected], key=lambda r: r.offset)
    return Decoded(batch, rejected, rows.widen)


def to_raw(payload: pa.RecordBatch, codec: Codec, schema: StreamSchema) -> pa.BinaryArray:
    """Typed records of a topic as raw ones, as the table above says; records stay in their places."""
    if schema.changelog is None or OP not in payload.schema.names:
        return codec.encode(payload)
    rows = payload.drop_columns([OP])
    op = pc.fill_null(payload.column(OP), "insert" if schema.changelog == "retract" else "upsert")
    if schema.changelog == "retract":
        return codec.encode(rows.append_column(op_name(rows.schema.names), op))
    return pc.if_else(pc.equal(op, "delete"), pa.scalar(None, pa.binary()), codec.encode(rows))


def _parts(text: str) -> list[str]:
    """A composite key's texts, without their backslashes."""
    parts, escaped = [""], False
    for letter in text:
        if letter == SEPARATOR and not escaped:
            parts.append("")
            continue
        escaped = letter == "\\" and not escaped
        parts[-1] += "" if escaped else letter
    return parts


def _json_key(text: str, key: Sequence[str]) -> list[str] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or set(value) != set(key):
        return None
    return [v if isinstance(v, str) else json.dumps(v) for v in (value[name] for name in key)]


def _with_op(decoded: Decoded, op: str) -> Decoded:
    """With `OP` last, where NULL is `op`; no column is declared NOT NULL, because deletes lack most."""
    batch = decoded.batch
    if OP in batch.schema.names:
        ops = pc.fill_null(batch.column(OP), op)
        batch = batch.drop_columns([OP])
    else:
        ops = pa.array([op] * batch.num_rows, pa.string())
    fields = [field.with_nullable(True) for field in batch.schema]
    fields.append(pa.field(OP, pa.string()))
    return replace(decoded, batch=pa.RecordBatch.from_arrays([*batch.columns, ops], schema=pa.schema(fields)))


def _deletes(records: RecordSet, schema: StreamSchema) -> npt.NDArray[np.bool_]:
    """Which records of an upsert changelog are deletes."""
    payload = records.payload
    if isinstance(payload, pa.RecordBatch) and OP in payload.schema.names:
        gone = pc.fill_null(pc.equal(payload.column(OP), "delete"), False)
    elif isinstance(payload, pa.BinaryArray) and records.keys is not None and schema.key:
        gone = pc.and_(pc.is_null(payload), pc.is_valid(records.keys))
    else:
        return np.zeros(records.rows, dtype=np.bool_)
    return flags_in(gone)


def _pick(records: RecordSet, wanted: npt.NDArray[np.bool_]) -> RecordSet:
    mask = pa.array(wanted)
    keys = None if records.keys is None else records.keys.filter(mask)
    payload = records.payload.filter(mask)  # type: ignore[union-attr]  # deletes are never among lines
    if isinstance(payload, pa.RecordBatch) and OP in payload.schema.names:
        payload = payload.drop_columns([OP])
    return replace(
        records,
        offsets=records.offsets[wanted],
        timestamps_ms=records.timestamps_ms[wanted],
        payload=payload,
        keys=keys,
    )


def _decode_deletes(codec: Codec, records: RecordSet, schema: StreamSchema, columns: Sequence[str]) -> Decoded:
    """Deletes as rows: what the record says of its columns, at the least those of the key."""
    rejected: Sequence[Rejected] = ()
    if isinstance(records.payload, pa.BinaryArray):
        records, rejected = _keys_as_rows(records, schema)
    fields = [field.with_nullable(True) for field in schema.columns]
    wanted = [*columns, *(n for n in [schema.time_column] if n is not None and n not in columns)]
    decoded = codec.decode(records, StreamSchema(pa.schema(fields)), wanted)
    batch = decoded.batch
    if schema.time_column is not None:  # a delete may say when it holds from
        said = _as_us(batch.column(schema.time_column))
        names = batch.schema.names
        batch = batch.set_column(names.index(TS), batch.schema.field(TS), pc.coalesce(said, batch.column(TS)))
    ordered = [name for name in schema.names if name in columns]
    return Decoded(batch.select([*ordered, TS, POS]), [*rejected, *decoded.rejected])


def _keys_as_rows(records: RecordSet, schema: StreamSchema) -> tuple[RecordSet, list[Rejected]]:
    """Tombstones as typed records of the key's columns; those whose key cannot be read are rejected."""
    assert records.keys is not None, "a tombstone without a key is no delete"
    fields = [schema.require(name) for name in schema.key]
    rows: list[list[Any]] = []
    good: list[int] = []
    rejected = []
    for at, raw in enumerate(records.keys.to_pylist()):
        try:
            rows.append([key_of_text(t, f) for t, f in zip(key_texts(raw, schema.key), fields, strict=True)])
            good.append(at)
        except SchemaError as error:
            offset = int(records.offsets[at])
            rejected.append(Rejected(records.topic, records.partition, offset, error.message, "", raw))
    arrays = [pa.array([row[i] for row in rows], field.type) for i, field in enumerate(fields)]
    payload = pa.RecordBatch.from_arrays(arrays, names=list(schema.key))
    offsets, times = records.offsets[good], records.timestamps_ms[good]
    return replace(records, offsets=offsets, timestamps_ms=times, payload=payload, keys=None), rejected


def _bag(codec: Codec, records: RecordSet, schema: StreamSchema, columns: Sequence[str]) -> Decoded:
    """A run of a retract changelog: whole rows either way."""
    if isinstance(records.payload, pa.RecordBatch):
        return _with_op(codec.decode(records, schema, columns), "insert")
    op = op_name(schema.names)
    wider = replace(schema, columns=schema.columns.append(pa.field(op, pa.string())))
    decoded = codec.decode(records, wider, [*columns, op])
    ops = decoded.batch.column(op)
    batch = decoded.batch.drop_columns([op]).append_column(OP, ops)
    fine = pc.is_in(ops, pa.array(["insert", "delete", None], pa.string()))
    rejected = list(decoded.rejected)
    for at in np.flatnonzero(~flags_in(fine)).tolist():
        partition, offset = unpack_position(batch.column(POS)[at].as_py())
        reason = f"{op} is {ops[at].as_py()!r}, neither 'insert' nor 'delete'"
        raw = codec.encode(decoded.batch.slice(at, 1))[0].as_py()
        rejected.append(Rejected(records.topic, partition, offset, reason, op, raw))
    return _with_op(replace(decoded, batch=batch.filter(fine), rejected=rejected), "insert")


def _as_us(times: pa.Array) -> pa.Array:
    """Event times in microseconds, from a column of any type that may carry them."""
    if pa.types.is_integer(times.type):
        return pc.multiply(times.cast(pa.int64()), 1_000)
    return times.cast(pa.timestamp("us")).view(pa.int64())
