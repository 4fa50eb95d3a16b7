"""Runs of records: joined, cut, and decoded once for many jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from velostream_nb.codecs.contract import Codec
from velostream_nb.core.records import OP, POS, TS, Decoded, Payload, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.tombstones import decode_changes


def coalesce(sets: Sequence[RecordSet]) -> list[RecordSet]:
    """The same records in fewer runs: neighbours of one partition and one form become one.

    Many small appends would otherwise cost one decode each.
    """
    merged: list[list[RecordSet]] = []
    for records in sets:
        if merged and _alike(merged[-1][-1], records):
            merged[-1].append(records)
        else:
            merged.append([records])
    return [group[0] if len(group) == 1 else _join(group) for group in merged]


def _alike(one: RecordSet, other: RecordSet) -> bool:
    if one.partition != other.partition:
        return False
    if isinstance(one.payload, pa.RecordBatch) and isinstance(other.payload, pa.RecordBatch):
        return bool(one.payload.schema.equals(other.payload.schema))
    return isinstance(one.payload, pa.BinaryArray) and isinstance(other.payload, pa.BinaryArray)


def _join(group: Sequence[RecordSet]) -> RecordSet:
    first = group[0]
    payload: Payload
    if isinstance(first.payload, pa.RecordBatch):
        payload = pa.concat_batches([r.payload for r in group])
    else:
        payload = pa.concat_arrays([r.payload for r in group])
    keys = None
    if any(r.keys is not None for r in group):
        keys = pa.concat_arrays([pa.nulls(r.rows, pa.binary()) if r.keys is None else r.keys for r in group])
    offsets = np.concatenate([r.offsets for r in group])
    timestamps_ms = np.concatenate([r.timestamps_ms for r in group])
    return RecordSet(first.topic, first.partition, offsets, timestamps_ms, payload, keys)


def decode_for(
    codec: Codec, sets: Iterable[RecordSet], schema: StreamSchema, wanted: Mapping[str, tuple[str, ...]]
) -> dict[str, list[Decoded]]:
    """Decode every run once, with the union of the columns wanted, and give each job its own columns.

    Whether a job sees a record must not depend on who else reads the topic: where a record is rejected for a field that
    a job does not read, the run is decoded again for that job alone.

    Args:
        wanted: columns by job. `TS` and `POS` come with each, and `OP` where the topic is a changelog.
    """
    visible = {job: tuple(c for c in columns if c != OP) for job, columns in wanted.items()}
    union = _in_order({c for columns in visible.values() for c in columns}, schema)
    hidden = [TS, POS] if schema.changelog is None else [TS, POS, OP]
    decode = codec.decode if schema.changelog is None else partial(decode_changes, codec)
    out: dict[str, list[Decoded]] = {job: [] for job in wanted}
    for records in sets:
        decoded = decode(records, schema, union)
        span = decoded.times
        faults = {r.path.split(".")[0].split("[")[0] for r in decoded.rejected} - {"", schema.time_column}
        for job, columns in visible.items():
            same = not faults or faults <= set(columns)
            own = decoded if same else decode(records, schema, _in_order(set(columns), schema))
            rows = own.batch.select([*columns, *hidden])
            out[job].append(Decoded(rows, own.rejected, own.widen, span if same else own.times))
    return out


def _in_order(columns: set[str], schema: StreamSchema) -> list[str]:
    return [name for name in schema.names if name in columns]
