"""What a step of a job appends to its output topic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.brokers.contract import Output
from velostream_nb.core.records import HIDDEN, OP, POS, TS, op_name
from velostream_nb.core.schema import StreamSchema, guess_time_column
from velostream_nb.core.vectors import integers_in
from velostream_nb.jobs.tombstones import record_keys


def output_schema(
    columns: pa.Schema, key: Sequence[str], changelog: str | None = None, *, inferred: bool = False
) -> StreamSchema:
    """The schema of a topic that a job writes.

    Event time is a column named like it, else ``window_end``: what a window says is known when it ends. A changelog
    has no event time.

    Args:
        changelog, inferred: see `core.schema.StreamSchema`.
    """
    visible = pa.schema([field for field in columns if field.name not in HIDDEN])
    if changelog is not None:
        return StreamSchema(visible, None, tuple(key), changelog=changelog, inferred=inferred)
    time = guess_time_column(visible)
    if time is None and "window_end" in visible.names and pa.types.is_timestamp(visible.field("window_end").type):
        time = "window_end"
    return StreamSchema(visible, time, tuple(key), inferred=inferred)


def row_outputs(topic: str, rows: pa.Table, key: Sequence[str]) -> list[Output]:
    """Output rows as appends, one a batch of the table; `OP` stays in the payload, `TS` becomes the broker's time."""
    outputs: list[Output] = []
    for batch in rows.to_batches():
        if not batch.num_rows:
            continue
        timestamps_ms = None
        if TS in batch.schema.names:
            timestamps_ms = np.floor_divide(integers_in(batch.column(TS)), 1_000)
        payload = batch.select([name for name in batch.schema.names if name not in (TS, POS)])
        outputs.append(Output(topic, payload, record_keys(payload, key), timestamps_ms))
    return outputs


def visible_rows(rows: pa.Table) -> pa.Table:
    """The rows as users see them: hidden columns dropped, except that a changelog's `OP` becomes ``op`` (`op_name`)."""
    visible = rows.drop_columns([name for name in HIDDEN if name in rows.column_names])
    if OP not in rows.column_names:
        return visible
    return visible.append_column(op_name(visible.column_names), rows.column(OP))
