"""Reading one file as a bounded topic of one partition: JSON lines, CSV or Parquet, in bounded memory.

A record's offset is its number in the file, from 0, blank lines and the CSV header not counted. The broker's timestamp
of every record is the file's time of modification, which does not change between runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from velostream_nb.brokers.csv_rows import CsvRows, fault_batch
from velostream_nb.brokers.file_format import TextSource, file_format, require_file
from velostream_nb.brokers.payload import payload_rows, slice_payload
from velostream_nb.brokers.text_blocks import BLOCK_BYTES, MAX_RECORD_BYTES, Block, record_blocks
from velostream_nb.core.errors import BrokerError
from velostream_nb.core.records import Lines, Payload, RecordSet

_LEAST_PARQUET_ROWS = 16_384
_MOST_PARQUET_ROWS = 131_072


@dataclass(frozen=True, slots=True)
class _Chunk:
    payload: Payload
    rows: int
    ends: npt.NDArray[np.int64] | None = None


class FileReader:
    """A `Reader` of one file.

    Args:
        topic: the name under which its records are read.
        start: the offset to begin at; records before it are passed over.
        columns: what to read of CSV and Parquet (the event-time column must be among them); None means all.
        block_bytes: text is read in pieces of this size.
        max_record_bytes: a longer record is handed on as a fault, to be rejected, and reading goes on after it.

    Raises:
        BrokerError: the file is missing (with near names), unreadable, or not what its ending says.
        ConfigError: its ending is unknown.
    """

    def __init__(
        self,
        topic: str,
        path: Path,
        *,
        start: int = 0,
        columns: Sequence[str] | None = None,
        block_bytes: int = BLOCK_BYTES,
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self.topic = topic
        self._path = path
        self._format = file_format(path)
        require_file(path)
        stat = path.stat()
        self._size = stat.st_size
        self._time_ms = stat.st_mtime_ns // 1_000_000
        self._offset = start
        self._source: TextSource | None = None
        self._parquet: pq.ParquetFile | None = None
        self._rows: int | None = None
        self._used = 0
        self._asked_rows = 0
        self._closed = False
        self._exhausted = False
        self._chunk: _Chunk | None = None
        if self._format.kind == "parquet":
            self._chunks = self._parquet_chunks(start, columns)
        else:
            self._source = TextSource(path, gzipped=self._format.gzipped)
            blocks = record_blocks(
                self._source,
                quoted=self._format.kind == "csv",
                block_bytes=block_bytes,
                max_record_bytes=max_record_bytes,
            )
            make = _csv_chunks(blocks, columns) if self._format.kind == "csv" else _line_chunks(blocks, path)
            self._chunks = _skip(make, start)

    def poll(self, max_rows: int, until: Mapping[int, int] | None = None) -> list[RecordSet]:
        if until is not None and 0 in until:
            max_rows = min(max_rows, until[0] - self._offset)
        self._asked_rows = max_rows
        sets: list[RecordSet] = []
        while max_rows > 0 and (chunk := self._current()) is not None:
            rows = min(max_rows, chunk.rows - self._used)
            whole = rows == chunk.rows
            payload = chunk.payload if whole else slice_payload(chunk.payload, self._used, rows, chunk.ends)
            offsets = np.arange(self._offset, self._offset + rows, dtype=np.int64)
            sets.append(RecordSet(self.topic, 0, offsets, np.full(rows, self._time_ms, np.int64), payload))
            self._offset += rows
            self._used += rows
            max_rows -= rows
        return sets

    def take(self, records: Sequence[RecordSet]) -> bool:
        """False, but for no records: nothing is ever appended to a file."""
        return not records

    def positions(self) -> dict[int, int]:
        return {0: self._offset}

    def lag_rows(self) -> int:
        """Exact for Parquet; for text an estimate from the bytes that are left, and 0 only at the end."""
        if self.ended:
            return 0
        if self._rows is not None:
            return self._rows - self._offset
        done, total = self.progress()
        waiting = self._chunk.rows - self._used if self._chunk else 0
        read = self._offset + waiting
        return max(1, waiting + (total - done) * read // max(done, 1))

    def progress(self) -> tuple[int, int]:
        """How far reading is: (done, total) in bytes of the file for text, in rows for Parquet."""
        if self._source is not None:
            return self._size if self._exhausted else min(self._source.position, self._size), self._size
        return self._offset, self._rows or 0

    @property
    def skipped(self) -> int:
        return 0

    @property
    def ended(self) -> bool:
        if self._rows is not None and self._offset < self._rows and not self._closed:
            return False  # told without reading: how much at once is known when somebody polls
        return self._exhausted or (not self._closed and self._current() is None)

    @property
    def closed(self) -> bool:
        """True once the file is let go of: at its end, or after `close`."""
        return self._closed

    def close(self) -> None:
        """Let go of the file. A reader that was closed before the end has not ended: its next poll is refused."""
        self._closed = True
        self._chunk = None
        if self._source is not None:
            self._source.close()
        if self._parquet is not None:
            self._parquet.close()

    def _current(self) -> _Chunk | None:
        """The chunk with the next record; None at the end of the file."""
        while self._chunk is None or self._used >= self._chunk.rows:
            if self._exhausted:
                return None
            if self._closed:
                raise BrokerError(f"the reader of {self._path} is closed")
            self._used = 0
            try:
                self._chunk = next(self._chunks, None)
            except BrokerError:
                self.close()
                raise
            if self._chunk is None:
                self._exhausted = True
                self.close()
        return self._chunk

    def _parquet_chunks(self, start: int, columns: Sequence[str] | None) -> Iterator[_Chunk]:
        try:
            # without pre-buffering one row group is decoded piece by piece, so memory follows the batch, not the group
            self._parquet = pq.ParquetFile(self._path, pre_buffer=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise BrokerError(f"cannot read {self._path} as Parquet: {error}") from error
        self._rows = self._parquet.metadata.num_rows
        return self._parquet_batches(self._parquet, start, columns)

    def _parquet_batches(self, file: pq.ParquetFile, start: int, columns: Sequence[str] | None) -> Iterator[_Chunk]:
        names = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        first, skip = 0, start
        while first < len(sizes) and skip >= sizes[first]:
            skip -= sizes[first]
            first += 1
        groups = range(first, len(sizes))
        # as many at once as a poll asks for: what comes in two pieces has to be joined again
        rows = min(max(self._asked_rows, _LEAST_PARQUET_ROWS), _MOST_PARQUET_ROWS)
        try:
            # more threads take a third less time for a third more work, and the other cores have work of their own
            batches = file.iter_batches(batch_size=rows, row_groups=groups, columns=names, use_threads=False)
            yield from _skip((_Chunk(batch, batch.num_rows) for batch in batches if groups), skip)
        except (pa.ArrowInvalid, OSError) as error:
            raise BrokerError(f"cannot read {self._path} on after record {self._offset}: {error}") from error


def count_records(path: Path, *, block_bytes: int = BLOCK_BYTES, max_record_bytes: int = MAX_RECORD_BYTES) -> int:
    """How many records a file has: from the footer of Parquet, by cutting text into records once (about 1 GB/s)."""
    form = file_format(path)
    if form.kind == "parquet":
        reader = FileReader(path.stem, path)
        reader.close()
        return reader.progress()[1]
    source = TextSource(path, gzipped=form.gzipped)
    try:
        quoted = form.kind == "csv"
        blocks = record_blocks(source, quoted=quoted, block_bytes=block_bytes, max_record_bytes=max_record_bytes)
        return max(0, sum(block.rows for block in blocks) - int(quoted))  # the header of a CSV is no record
    finally:
        source.close()


def _skip(chunks: Iterator[_Chunk], rows: int) -> Iterator[_Chunk]:
    """The chunks without their first `rows` records."""
    for chunk in chunks:
        if rows >= chunk.rows:
            rows -= chunk.rows
        elif rows > 0:
            rest = chunk.rows - rows
            yield _Chunk(slice_payload(chunk.payload, rows, rest, chunk.ends), rest)
            rows = 0
        else:
            yield chunk


def _line_chunks(blocks: Iterator[Block], path: Path) -> Iterator[_Chunk]:
    for number, block in enumerate(blocks):
        if number == 0 and path.name.lower().endswith((".json", ".json.gz")) and block.data[:1] == b"[":
            raise BrokerError(f"{path} is one JSON array, not JSON lines", hint="write one object a line (jq -c '.[]')")
        if block.fault is not None:
            yield _Chunk(fault_batch(block.data, block.fault), 1)
        else:
            yield _Chunk(Lines(block.data, block.rows), block.rows, block.ends)


def _csv_chunks(blocks: Iterator[Block], columns: Sequence[str] | None) -> Iterator[_Chunk]:
    rows: CsvRows | None = None
    for block in blocks:
        if rows is None:
            if block.fault is not None:
                raise BrokerError(f"cannot read the CSV header: {block.fault}")
            header_end = int(block.ends[0])
            rows = CsvRows(block.data[:header_end], columns)
            block = Block(block.data[header_end + 1 :], block.ends[1:] - header_end - 1)
        if block.rows:
            batch = rows.parse(block)
            yield _Chunk(batch, payload_rows(batch))
