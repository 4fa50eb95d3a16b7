"""What a step of a job appends to its output topic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.brokers.contract import Output
from velostream_nb.core.records import OP, POS, TS
from velostream_nb.core.schema import StreamSchema, guess_time_column


def output_schema(columns: pa.Schema, key: Sequence[str]) -> StreamSchema:
    """The schema of a topic that a job writes.

    Event time is a column named like it, else ``window_end``: what a window says is known when it ends.
    """
    visible = pa.schema([field for field in columns if field.name not in (TS, POS, OP)])
    time = guess_time_column(visible)
    if time is None and "window_end" in visible.names and pa.types.is_timestamp(visible.field("window_end").type):
        time = "window_end"
    return StreamSchema(visible, time, tuple(key))


def row_outputs(topic: str, rows: pa.Table, key: Sequence[str]) -> list[Output]:
    """Output rows as appends, one a batch of the table; `OP` stays in the payload, `TS` becomes the broker's time."""
    outputs = []
    for batch in rows.to_batches():
        if not batch.num_rows:
            continue
        timestamps_ms = None
        if TS in batch.schema.names:
            timestamps_ms = np.floor_divide(batch.column(TS).to_numpy(), 1_000)
        payload = batch.select([name for name in batch.schema.names if name not in (TS, POS)])
        outputs.append(Output(topic, payload, record_keys(payload, key), timestamps_ms))
    return outputs


def visible_rows(rows: pa.Table) -> pa.Table:
    """The rows as users see them: hidden columns dropped, except that a changelog's `OP` becomes ``op``."""
    rows = rows.drop_columns([name for name in (TS, POS) if name in rows.column_names])
    if OP not in rows.column_names:
        return rows
    op = rows.column(OP)
    return rows.drop_columns([OP]).append_column("op", op)


def record_keys(batch: pa.RecordBatch, key: Sequence[str]) -> pa.BinaryArray | None:
    """Record keys, by which a topic is partitioned: the key column's text, or the columns' texts joined by ``|``."""
    if not key:
        return None
    texts = [pc.fill_null(pc.cast(batch.column(name), pa.string()), "") for name in key]
    joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")
    return joined.cast(pa.binary())
