"""What `produce` takes, as payloads: dicts become JSON records, tables stay Arrow, bytes stay bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from velostream_nb.brokers.contract import Output
from velostream_nb.core.errors import ConfigError, SchemaError, UnsupportedError
from velostream_nb.core.records import HIDDEN
from velostream_nb.jobs.outputs import record_keys

_TAKEN = "a list of dicts, a pandas or Arrow table, or a list of bytes"


def check_op(op: str) -> None:
    """Only 'upsert' in this release; deletes need tables, which come later."""
    if op == "delete":
        raise UnsupportedError(
            "op='delete' needs a table with a primary key, and tables are not supported yet",
            hint="produce rows that say so in a column, and filter on it",
        )
    if op != "upsert":
        raise ConfigError(f"op must be 'upsert' or 'delete', got {op!r}")


def to_outputs(topic: str, rows: Any, key: Sequence[str] = ()) -> list[Output]:
    """Rows of any accepted kind as appends to `topic`.

    Args:
        rows: list of dicts (or one dict), pandas DataFrame, Arrow table or batch (or anything that exports an Arrow
            stream, such as polars), or list of bytes or str: raw records.
        key: columns that form the record key.

    Raises:
        SchemaError: something else, mixed kinds, or columns with reserved names.
    """
    table = _table_of(rows)
    if table is not None:
        _check_names(table.schema.names)
        present = [name for name in key if name in table.schema.names]
        batches = [batch for batch in table.to_batches() if batch.num_rows]
        return [Output(topic, batch, record_keys(batch, present)) for batch in batches]
    records = [rows] if isinstance(rows, Mapping) else _as_list(rows)
    if not records:
        return []
    if all(isinstance(r, Mapping) for r in records):
        return [_from_dicts(topic, records, key)]
    if all(isinstance(r, bytes | str) for r in records):
        raw = [r.encode() if isinstance(r, str) else r for r in records]
        return [Output(topic, pa.array(raw, pa.binary()))]
    kinds = sorted({type(r).__name__ for r in records})
    raise SchemaError(f"cannot produce a list of {', '.join(kinds)}", hint=f"give {_TAKEN}")


def _table_of(rows: Any) -> pa.Table | None:
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    try:
        if type(rows).__module__.split(".")[0] == "pandas":
            return pa.Table.from_pandas(rows, preserve_index=False)
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.table(rows)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, AttributeError, TypeError) as error:
        kind = type(rows).__name__
        raise SchemaError(f"this {kind} cannot become an Arrow table: {error}", hint=f"give {_TAKEN}") from error
    return None


def _as_list(rows: Any) -> list[Any]:
    if isinstance(rows, bytes | str) or not hasattr(rows, "__iter__"):
        raise SchemaError(f"cannot produce a {type(rows).__name__}", hint=f"give {_TAKEN}")
    return list(rows)


def _check_names(names: Sequence[str]) -> None:
    taken = [name for name in names if name.lower() in HIDDEN]
    if taken:
        raise SchemaError(f"the column name {taken[0]!r} is reserved", hint="rename the column")


def _from_dicts(topic: str, records: list[Mapping[str, Any]], key: Sequence[str]) -> Output:
    _check_names([name for name in records[0] if isinstance(name, str)])
    encoder = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
    try:
        values = [encoder.encode(record) for record in records]
    except (TypeError, ValueError, OverflowError) as error:
        raise SchemaError(
            f"a row cannot become JSON: {error}", hint="use plain numbers, texts and datetimes"
        ) from error
    keys = None
    if key:
        texts = [[str(record.get(name, "")) for name in key] for record in records]
        keys = pa.array(["|".join(parts).encode() for parts in texts], pa.binary())
    return Output(topic, pa.array(values, pa.binary()), keys)


def _plain(value: Any) -> Any:
    """Scalars and arrays of numpy and arrays, pandas timestamps and NA, and mappings, as msgspec can write them."""
    if hasattr(value, "isoformat"):
        text = value.isoformat()
        return None if text == "NaT" else text
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise TypeError(f"{type(value).__name__} has no JSON form")
