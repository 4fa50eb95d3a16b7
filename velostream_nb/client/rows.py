"""What `produce` takes, as bodies of requests. The server turns them into the same kinds of rows again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pyarrow as pa

from velostream_nb.core.errors import SchemaError
from velostream_nb.core.wire import ARROW, JSON, RAW_COLUMN, pack_table

BODY_ROWS = 50_000
"""Rows of one request: a few megabytes, far below what a server takes."""

_TAKEN = "a list of dicts, a pandas or Arrow table, or a list of bytes"


def bodies(rows: Any) -> Iterator[tuple[str, bytes]]:
    """Media type and content of each request that carries these rows.

    Raises:
        SchemaError: rows of no accepted kind, or values without a JSON form.
    """
    table = _table_of(rows)
    if table is None:
        records = [rows] if isinstance(rows, Mapping) else _as_list(rows)
        if records and all(isinstance(each, Mapping) for each in records):
            yield from _json_bodies(records)
            return
        table = _raw_table(records)
    for start in range(0, table.num_rows, BODY_ROWS):
        yield ARROW, pack_table(table.slice(start, BODY_ROWS)).to_pybytes()


def _table_of(rows: Any) -> pa.Table | None:
    try:
        if isinstance(rows, pa.RecordBatch):
            return pa.Table.from_batches([rows])
        if isinstance(rows, pa.Table):
            return rows
        if type(rows).__module__.split(".")[0] == "pandas":
            return pa.Table.from_pandas(rows, preserve_index=False)
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.table(rows)
    except (pa.ArrowException, AttributeError, TypeError) as error:
        kind = type(rows).__name__
        raise SchemaError(f"this {kind} cannot become an Arrow table: {error}", hint=f"give {_TAKEN}") from error
    return None


def _as_list(rows: Any) -> list[Any]:
    if isinstance(rows, bytes | str) or not hasattr(rows, "__iter__"):
        raise SchemaError(f"cannot produce a {type(rows).__name__}", hint=f"give {_TAKEN}")
    return list(rows)


def _raw_table(records: list[Any]) -> pa.Table:
    if not all(isinstance(each, bytes | str) for each in records):
        kinds = ", ".join(sorted({type(each).__name__ for each in records}))
        raise SchemaError(f"cannot produce a list of {kinds}", hint=f"give {_TAKEN}")
    raw = [each.encode() if isinstance(each, str) else each for each in records]
    return pa.table({RAW_COLUMN: pa.array(raw, pa.binary())})


def _json_bodies(records: list[Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    encoder = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")
    for start in range(0, len(records), BODY_ROWS):
        try:
            yield JSON, encoder.encode(records[start : start + BODY_ROWS])
        except (TypeError, ValueError, OverflowError) as error:
            raise SchemaError(
                f"a row cannot become JSON: {error}", hint="use plain numbers, texts and datetimes"
            ) from error


def _plain(value: Any) -> Any:
    """Scalars and arrays of numpy, pandas timestamps and NA, and mappings, as msgspec can write them."""
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
