"""Output as a file: JSON lines, CSV or Parquet by its name, written piece by piece, whole or not there at all."""

from __future__ import annotations

import gzip
import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, cast

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from velostream_nb.brokers.file_format import file_format
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.codecs.json_encode import column_texts, times_ms
from velostream_nb.core.errors import ConfigError, SchemaError
from velostream_nb.core.records import HIDDEN, OP, op_name

_PARQUET_GROUP_ROWS = 131_072


class _Writer(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...

    def close(self) -> None: ...


class FileSink:
    """Writes rows to a file under a temporary name beside it; `close` gives it its own, replacing what was there.

    So a crash leaves no half file that looks whole. As a context manager it closes, or aborts when an error passes.
    Timestamps are epoch milliseconds in JSON and CSV and timestamps in Parquet; hidden columns are left out, but for
    a changelog's operation, which is the last column (`core.records.op_name`).

    Args:
        path: ends in .jsonl, .ndjson, .json, .csv, .tsv (these also with .gz) or .parquet.
        schema: columns of the output; needed for a valid file when no row ever comes.

    Raises:
        ConfigError: the ending is unknown (with near endings) or the folder cannot be written to.
    """

    def __init__(self, path: str | Path, *, schema: pa.Schema | None = None) -> None:
        self.path = Path(path)
        self.rows = 0
        self._format = file_format(self.path)
        self._delimiter = "\t" if ".tsv" in self.path.name.lower() else ","
        self._schema = None if schema is None else _user_schema(schema)
        self._temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        if self.path.is_dir():
            raise ConfigError(f"{self.path} is a folder, not a file")
        try:
            self._file: IO[bytes] = self._temporary.open("xb")
        except FileNotFoundError as error:
            raise ConfigError(
                f"cannot write {self.path}: no folder {self.path.parent}", hint="make it first"
            ) from error
        except OSError as error:
            raise ConfigError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._stream: IO[bytes] = self._file
        if self._format.gzipped:
            self._stream = cast("IO[bytes]", gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=4, mtime=0))
        self._writer: _Writer | None = None
        self._done = False

    def write(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Append rows. SchemaError when their columns are not those of before."""
        for batch in rows.to_batches() if isinstance(rows, pa.Table) else [rows]:
            batch = _user_rows(batch)
            if self._schema is None:
                self._schema = _user_schema(batch.schema)
            elif batch.schema.names != self._schema.names:
                raise SchemaError(
                    f"rows with columns {', '.join(batch.schema.names)} do not continue {self.path.name}, "
                    f"which has {', '.join(self._schema.names)}"
                )
            self._opened().write(batch)
            self.rows += batch.num_rows

    def close(self) -> None:
        """Finish the file and give it its name. Safe to call twice."""
        if self._done:
            return
        try:
            if self._schema is not None or self._format.kind == "parquet":
                self._opened().close()
            self._close_file()
            self._temporary.replace(self.path)
        except OSError as error:
            self.abort()
            raise ConfigError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._done = True

    def abort(self) -> None:
        """Throw away what was written; what was at `path` before stays. Safe to call twice, and after `close`."""
        if not self._done:
            self._done = True
            with suppress(OSError, pa.ArrowException):  # a disk that is full: what was written goes anyway
                if self._writer is not None:
                    self._writer.close()  # Parquet's would write its footer when it is collected, into a closed file
            self._stream.close()
            self._file.close()
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _opened(self) -> _Writer:
        if self._writer is None:
            schema = pa.schema([]) if self._schema is None else self._schema
            if self._format.kind == "jsonl":
                self._writer = _JsonLines(self._stream)
            elif self._format.kind == "csv":
                self._writer = _Csv(self._stream, schema, self._delimiter)
            else:
                self._writer = _Parquet(self._stream, schema)
        return self._writer

    def _close_file(self) -> None:
        if self._stream is not self._file:
            self._stream.close()
        self._file.flush()
        os.fsync(self._file.fileno())  # or a power cut after the rename could leave an empty file of the right name
        self._file.close()


def _user_schema(schema: pa.Schema) -> pa.Schema:
    fields = [field for field in schema if field.name not in HIDDEN]
    if OP in schema.names:
        fields.append(pa.field(op_name(schema.names), pa.string()))
    return pa.schema(fields)


def _user_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = batch.select([name for name in batch.schema.names if name not in HIDDEN])
    return rows.append_column(op_name(batch.schema.names), batch.column(OP)) if OP in batch.schema.names else rows


class _JsonLines:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._codec = JsonCodec()

    def write(self, batch: pa.RecordBatch) -> None:
        self._stream.write(self._codec.encode_lines(batch))

    def close(self) -> None:
        """Nothing is buffered."""


class _Csv:
    """CSV that `FileReader` reads back: NULL is an empty cell, an empty text is ``""``, nested values are JSON."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema, delimiter: str) -> None:
        self._schema = pa.schema([(field.name, _cell_type(field.type)) for field in schema])
        options = pacsv.WriteOptions(delimiter=delimiter)
        self._writer: Any = pacsv.CSVWriter(pa.PythonFile(stream, "w"), self._schema, write_options=options)

    def write(self, batch: pa.RecordBatch) -> None:
        cells = [_cells(column, field.type) for column, field in zip(batch.columns, self._schema, strict=True)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(cells, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _cell_type(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(dtype):
        return pa.int64()
    number = pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype)
    return dtype if number or pa.types.is_boolean(dtype) or pa.types.is_date32(dtype) else pa.string()


def _cells(column: pa.Array, cell: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return times_ms(column)
    if column.type.equals(cell):
        return column
    if not pa.types.is_nested(column.type) and pa.types.is_string(cell) and not pa.types.is_binary(column.type):
        return column.cast(cell)
    texts = column_texts(column).to_pylist()
    valid = column.is_valid().to_pylist()
    return pa.array([t.strip('"') if v else None for t, v in zip(texts, valid, strict=True)], pa.string())


class _Parquet:
    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(stream, schema)
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch.cast(self._schema))
        self._held_rows += batch.num_rows
        # a row group for every small batch would make the file many times as big
        if self._held_rows >= _PARQUET_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
        self._held, self._held_rows = [], 0
