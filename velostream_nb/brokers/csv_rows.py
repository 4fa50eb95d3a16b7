"""CSV records to batches of text columns: types are the codec's business, so a bad cell costs one record only."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv as pacsv

from velostream_nb.brokers.text_blocks import FAULT_RAW_BYTES, Block
from velostream_nb.core.errors import BrokerError
from velostream_nb.core.records import FAULT, RAW, TEXT_CELLS

_DELIMITERS = (",", "\t", ";", "|")


class CsvRows:
    """Turns blocks of CSV records into batches.

    Every column is text; an empty cell is NULL, ``""`` is an empty text. A record with the wrong number of cells, or
    that is not UTF-8, becomes a row marked with `core.records.FAULT`.

    Args:
        header: the first record of the file, which names the columns; its delimiter (comma, tab, semicolon, bar) is
            the one used most.
        columns: the ones to read; None means all.

    Raises:
        BrokerError: the header repeats a name or is not text.
    """

    def __init__(self, header: bytes, columns: Sequence[str] | None = None) -> None:
        try:
            text = header.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise BrokerError("the header is not UTF-8 text") from error
        self.delimiter = max(_DELIMITERS, key=text.count)
        names = next(csv.reader([text], delimiter=self.delimiter), [])
        self.names = [name.strip() or f"column{number}" for number, name in enumerate(names, 1)]
        if repeated := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise BrokerError(f"the header repeats {', '.join(repeated)}", hint="give every column its own name")
        self.kept = [name for name in self.names if columns is None or name in columns]
        self.schema = pa.schema([(name, pa.string()) for name in self.kept], metadata={TEXT_CELLS: b"1"})
        self._reading = pacsv.ReadOptions(use_threads=False, column_names=self.names)
        self._converting = pacsv.ConvertOptions(
            column_types={name: pa.string() for name in self.names},
            include_columns=self.kept,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def parse(self, block: Block) -> pa.RecordBatch:
        """One row a record, in order."""
        if block.fault is not None:
            return self._marked(block.data, block.fault)
        whole, reason = self._try(block.data, block.rows)
        if whole is not None:
            return whole
        starts = [0, *(int(end) + 1 for end in block.ends[:-1])]
        records = [block.data[a:b] for a, b in zip(starts, block.ends.tolist(), strict=True)]
        return _stack(self._by_halves(records, reason))

    def _by_halves(self, records: Sequence[bytes], reason: str) -> list[pa.RecordBatch]:
        if len(records) == 1:
            return [self._marked(records[0], reason)]
        batches = []
        half = len(records) // 2
        for part in (records[:half], records[half:]):
            batch, why = self._try(b"\n".join(part), len(part))
            batches += [batch] if batch is not None else self._by_halves(part, why)
        return batches

    def _try(self, data: bytes, rows: int) -> tuple[pa.RecordBatch | None, str]:
        """The rows, when all of them are rows; else a reason (of the first that is none)."""
        wrong: list[str] = []

        def note(row: pacsv.InvalidRow) -> str:
            wrong.append(f"expected {row.expected_columns} cells, got {row.actual_columns}")
            return "skip"

        parsing = pacsv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=note)
        self._reading.block_size = len(data) + 1
        try:
            table = pacsv.read_csv(pa.py_buffer(data), self._reading, parsing, self._converting)
        except pa.ArrowInvalid as error:
            return None, "not UTF-8 text" if "UTF8" in str(error) else f"not CSV: {error}"
        if wrong or table.num_rows != rows:
            return None, wrong[0] if wrong else "not CSV: quotes where none may be"
        batch = table.combine_chunks().to_batches()[0]
        return pa.RecordBatch.from_arrays(batch.columns, schema=self.schema), ""

    def _marked(self, record: bytes, reason: str) -> pa.RecordBatch:
        cells = {name: pa.nulls(1, pa.string()) for name in self.kept}
        raw = pa.array([record.rstrip(b"\r")[:FAULT_RAW_BYTES]], pa.binary())
        return pa.record_batch({**cells, FAULT: pa.array([reason]), RAW: raw}).replace_schema_metadata(
            self.schema.metadata
        )


def _stack(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of all, with the marks of those that have them."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    table = pa.concat_tables(tables, promote_options="default").combine_chunks()
    return table.to_batches()[0]


def fault_batch(record: bytes, reason: str) -> pa.RecordBatch:
    """A batch of one marked row and no other columns: how a reader of any format hands on what it cannot read."""
    return pa.record_batch({FAULT: pa.array([reason]), RAW: pa.array([record[:FAULT_RAW_BYTES]], pa.binary())})
