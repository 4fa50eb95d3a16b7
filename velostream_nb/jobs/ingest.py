"""What `produce` takes, as appends to a topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from velostream_nb.brokers.contract import Output
from velostream_nb.codecs.ingest import rows_to_payloads
from velostream_nb.core.errors import ConfigError, UnsupportedError
from velostream_nb.core.records import Payload
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.outputs import record_keys


def check_op(op: str) -> None:
    """Only 'upsert' in this release; deletes need tables, which come later."""
    if op == "delete":
        raise UnsupportedError(
            "op='delete' needs a table with a primary key, and tables are not supported yet",
            hint="produce rows that say so in a column, and filter on it",
        )
    if op != "upsert":
        raise ConfigError(f"op must be 'upsert' or 'delete', got {op!r}")


def to_outputs(topic: str, rows: Any, schema: StreamSchema | None = None) -> list[Output]:
    """Rows of any accepted kind as appends to `topic`, keyed where the schema has a key.

    Args:
        rows: list of dicts (or one dict), pandas DataFrame, Arrow table or batch (or anything that exports an Arrow
            stream, such as polars), or list of bytes or str: raw records.
        schema: the topic's, when it is known; dicts that do not fit it become records that are rejected.

    Raises:
        SchemaError: something else, mixed kinds, or columns with reserved names.
    """
    if isinstance(rows, Iterator):
        rows = list(rows)  # read twice: for the payload, and for keys
    key = schema.key if schema else ()
    return [Output(topic, payload, _keys(payload, rows, key)) for payload in rows_to_payloads(rows, schema)]


def _keys(payload: Payload, rows: Any, key: Sequence[str]) -> pa.BinaryArray | None:
    if not key:
        return None
    if isinstance(payload, pa.RecordBatch):
        present = [name for name in key if name in payload.schema.names]
        return record_keys(payload, present)
    if isinstance(rows, list) and isinstance(payload, pa.BinaryArray) and all(isinstance(row, Mapping) for row in rows):
        texts = [[str(row.get(name, "")) for name in key] for row in rows]
        return pa.array(["|".join(parts).encode() for parts in texts], pa.binary())
    return None  # raw records: their key is not known before they are decoded
