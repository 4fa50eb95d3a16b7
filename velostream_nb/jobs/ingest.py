"""What `produce` takes, as appends to a topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from velostream_nb.brokers.contract import Output
from velostream_nb.codecs.ingest import rows_to_payloads
from velostream_nb.core.errors import ConfigError, SchemaError, UnsupportedError
from velostream_nb.core.records import FAULT, OP, RAW, Payload
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.tombstones import record_key, record_keys


def check_op(op: str) -> None:
    """ConfigError unless it is 'upsert' or 'delete'."""
    if op not in ("upsert", "delete"):
        raise ConfigError(f"op must be 'upsert' or 'delete', got {op!r}")


def to_deletes(topic: str, rows: Any, schema: StreamSchema | None) -> list[Output]:
    """Deletes from a table, as appends to its topic. The rows need no more than the key's columns.

    Raises:
        UnsupportedError: the topic is no table with a primary key.
        SchemaError: a row does not name its key, or the rows are no rows.
    """
    if schema is None or not schema.key or schema.changelog != "upsert":
        raise UnsupportedError(
            f"rows of {topic!r} cannot be deleted: it is no table with a primary key",
            hint=f"CREATE TABLE {topic} (k VARCHAR, …, PRIMARY KEY (k))",
        )
    if isinstance(rows, Iterator):
        rows = list(rows)
    said = [n for n in schema.names if n in (*schema.key, schema.time_column)]
    keyed = StreamSchema(pa.schema([schema.columns.field(n).with_nullable(True) for n in said]), key=schema.key)
    outputs = []
    for payload in rows_to_payloads(rows, keyed):
        if not isinstance(payload, pa.RecordBatch):
            raise SchemaError("a delete takes rows with the key's columns, not raw records", hint=_key_hint(schema))
        for name in schema.key:
            if name not in payload.schema.names or payload.column(name).null_count:
                raise SchemaError(f"a row to delete does not name its {name}", hint=_key_hint(schema))
        payload = payload.select([name for name in payload.schema.names if name in (*said, FAULT, RAW)])
        payload = payload.append_column(OP, pa.array(["delete"] * payload.num_rows, pa.string()))
        outputs.append(Output(topic, payload, record_keys(payload, schema.key)))
    return outputs


def _key_hint(schema: StreamSchema) -> str:
    return "pass a list of dicts such as [{" + ", ".join(f'"{name}": …' for name in schema.key) + "}]"


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
        return pa.array([record_key([str(row.get(name, "")) for name in key]) for row in rows], pa.binary())
    return None  # raw records: their key is not known before they are decoded
