"""Reference tables: the rows of a file, read once when ``CREATE TABLE … FROM 'file'`` runs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from velostream_nb.brokers.file_format import file_format, require_file
from velostream_nb.brokers.files import FilesBroker
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.errors import BrokerError, ConfigError, SchemaError, VeloError, did_you_mean
from velostream_nb.core.records import RecordSet, no_rows
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.changelog import row_codes
from velostream_nb.jobs.runs import coalesce
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.statements import LoadTable

BLOCK_ROWS = 1_000_000
FILE_OPTION = "file"
"""Where `StreamInfo.options` of a reference table keeps the path of its file."""


def load_table(statement: LoadTable, codec: Codec) -> StreamInfo:
    """Read the file of a reference table: CSV, TSV, JSON lines (``.gz`` as well), a JSON list of objects, or Parquet.

    Columns that were not declared are told from all of its rows, as those of a topic are from its first records.

    Raises:
        ConfigError: the file's ending is unknown; an option.
        BrokerError: the file is missing (with near names), or unreadable.
        SchemaError: a row does not fit, a key column is missing, or a key is there twice.
    """
    if statement.options:
        raise ConfigError(
            f"a table from a file takes no option '{next(iter(statement.options))}'",
            hint="columns may be declared before FROM: CREATE TABLE t (k VARCHAR, x DOUBLE, PRIMARY KEY (k)) FROM …",
        )
    path = Path(statement.file).expanduser()
    try:
        rows, schema = _read(statement, path, codec)
    except VeloError as error:
        if error.place is None:
            error.place = statement.file_place
        raise
    options = {FILE_OPTION: str(path.resolve())}
    return StreamInfo(statement.name, statement.name, schema, options, table=True, rows=rows)


def _read(statement: LoadTable, path: Path, codec: Codec) -> tuple[pa.Table, StreamSchema]:
    sets = list(_records(statement.name, path))
    schema = statement.schema
    if schema is None:
        if not sets:
            raise SchemaError(f"{path.name} has no rows, so its columns are not known", hint="declare them before FROM")
        schema = codec.infer(_whole(sets))
    # a table's rows are facts of no time; without an event time none of them is refused for lacking one
    schema = dataclasses.replace(schema, time_column=None)
    tables = []
    for records in sets:
        decoded = codec.decode(records, schema)
        if decoded.rejected:
            first = decoded.rejected[0]
            raise SchemaError(
                f"record {first.offset + 1} of {path.name} does not fit: {first.reason}",
                hint="mend the file, or declare the columns before FROM, such as price VARCHAR",
            )
        tables.append(pa.Table.from_batches([decoded.batch]).select(schema.names))
    rows = pa.concat_tables([no_rows(schema.columns), *tables], promote_options="default").combine_chunks()
    key = tuple(_key_column(name, schema, path) for name in statement.key)
    _check_unique(rows, key, path)
    columns = pa.schema([field.with_nullable(False) if field.name in key else field for field in schema.columns])
    return rows, dataclasses.replace(schema, columns=columns, key=key)


def _records(name: str, path: Path) -> Iterator[RecordSet]:
    kind = file_format(path).kind
    require_file(path)
    if kind == "jsonl" and path.suffix.lower() == ".json":
        text = path.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("["):
            values = [item.encode() for item in _items(text, path)]
            offsets = np.arange(len(values), dtype=np.int64)
            if values:
                yield RecordSet(name, 0, offsets, np.zeros_like(offsets), pa.array(values, pa.binary()))
            return
    broker = FilesBroker({name: path})
    try:
        reader = broker.reader(name)
        while not reader.ended:
            yield from coalesce(reader.poll(BLOCK_ROWS))
    finally:
        broker.close()


def _items(text: str, path: Path) -> Iterator[str]:
    """The texts of a JSON list's items: as they are written, so that no number loses a digit."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    try:
        while text[at := _blank(text, at)] != "]":
            _, end = decoder.raw_decode(text, at)
            yield text[at:end]
            at = _blank(text, end)
            if text[at] == ",":
                at += 1
            elif text[at] != "]":
                raise ValueError(f"expected , or ] at character {at + 1}")
    except (ValueError, IndexError) as error:
        raise BrokerError(f"{path.name} is not a JSON list: {error}") from error


def _blank(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at


def _whole(sets: list[RecordSet]) -> RecordSet:
    """All records as one run: columns are told from the whole file."""
    return coalesce(sets)[0]


def _key_column(name: str, schema: StreamSchema, path: Path) -> str:
    for known in schema.names:
        if known.lower() == name.lower():
            return known
    raise SchemaError(f"{path.name} has no column {name!r} for the primary key", hint=did_you_mean(name, schema.names))


def _check_unique(rows: pa.Table, key: tuple[str, ...], path: Path) -> None:
    if not key:
        return
    for name in key:
        if rows.column(name).null_count:
            raise SchemaError(f"{path.name}: {name} is the primary key, and NULL in some row")
    codes = row_codes(rows.select(list(key)))
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = rows.select(list(key)).slice(int(first[counts > 1].min()), 1).to_pylist()[0]
        shown = ", ".join(f"{name} = {value!r}" for name, value in row.items())
        raise SchemaError(
            f"{path.name}: {shown} is there {int(counts[counts > 1][0])} times, and it is the primary key",
            hint="leave PRIMARY KEY out to keep all rows, or mend the file",
        )
