"""What `produce` takes, as bodies of requests. The server turns them into the same kinds of rows again."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from velostream_nb.core.errors import SchemaError
from velostream_nb.core.wire import ARROW, RAW_COLUMN, ROWS, pack_table, values_to_json

BODY_ROWS = 50_000
"""Rows of one request: a few megabytes, far below what a server takes."""

_TAKEN = "pass a list of dicts, a pandas DataFrame, an Arrow table, or a list of bytes"


def bodies(rows: Any) -> Iterator[tuple[str, bytes]]:
    """Media type and content of each request that carries these rows; at least one, even when there are none.

    Raises:
        SchemaError: rows of no accepted kind, or values that no record can hold.
    """
    if isinstance(rows, Mapping):
        yield ROWS, _json(rows)
        return
    found = _tabular(rows)
    if isinstance(found, pa.Table):
        for start in range(0, max(1, found.num_rows), BODY_ROWS):
            yield ARROW, pack_table(found.slice(start, BODY_ROWS)).to_pybytes()
        return
    for start in range(0, max(1, len(found)), BODY_ROWS):
        yield ROWS, _json(found[start : start + BODY_ROWS])


def _tabular(rows: Any) -> pa.Table | list[Any]:
    """A table where the rows are one, or raw records; else the list of dicts."""
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        return rows
    pandas = sys.modules.get("pandas")  # a frame can only come from a pandas that was imported
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        return _from_pandas(rows)
    if hasattr(rows, "__arrow_c_stream__"):  # polars, DuckDB relations, …
        return pa.table(rows)
    if isinstance(rows, bytes | str) or not isinstance(rows, Iterable):
        raise SchemaError(f"cannot make records of {type(rows).__name__}", hint=_TAKEN)
    records = list(rows)
    if all(isinstance(each, Mapping) for each in records):
        return records
    if all(isinstance(each, bytes | bytearray | str) for each in records):
        raw = [each.encode() if isinstance(each, str) else bytes(each) for each in records]
        return pa.table({RAW_COLUMN: pa.array(raw, pa.binary())})
    if all(isinstance(each, pa.RecordBatch) for each in records):
        return pa.Table.from_batches(records)
    kinds = ", ".join(sorted({type(each).__name__ for each in records}))
    raise SchemaError(f"cannot make records of a list of {kinds}", hint=_TAKEN)


def _from_pandas(frame: Any) -> pa.Table | list[Any]:
    if frame.index.name is not None:
        frame = frame.reset_index()
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError, ValueError):  # a column of mixed objects
        return list(frame.to_dict("records"))


def _json(rows: Any) -> bytes:
    try:
        return values_to_json(rows)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(f"a row cannot travel: {error}", hint="use plain numbers, texts and times") from error
