"""Output files: whole or not there, and readable by our own reader and by others."""

import csv
import datetime as dt
import json
import os
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from velostream_nb.brokers.file_reader import FileReader
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import ConfigError, SchemaError
from velostream_nb.core.records import OP, POS, TS
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type
from velostream_nb.sinks.files import FileSink

COLUMNS = pa.schema(
    [
        ("s", pa.string()),
        ("x", pa.float64()),
        ("n", pa.int64()),
        ("ok", pa.bool_()),
        ("amount", pa.decimal128(10, 2)),
        ("day", pa.date32()),
        ("at", pa.time64("us")),
        ("bytes", pa.binary()),
        ("xs", arrow_type("BIGINT[]")),
        ("ts", pa.timestamp("us")),
    ]
)
ROWS = [
    {
        "s": 'a "quoted", text\nof two lines', "x": 0.1, "n": 2**62 + 1, "ok": True, "amount": Decimal("1.10"),
        "day": dt.date(2024, 1, 2), "at": dt.time(1, 2, 3), "bytes": b"hi", "xs": [1, 2],
        "ts": dt.datetime(2024, 1, 2, 3),
    },
    {"s": "", "x": 1.0, "ts": dt.datetime(2024, 1, 3)},
    {"s": None, "ts": dt.datetime(2024, 1, 4)},
]  # fmt: skip
BATCH = pa.RecordBatch.from_pylist(ROWS, schema=COLUMNS)
FLAT = [name for name in COLUMNS.names if name != "xs"]


def read_back(path, schema: pa.Schema) -> list[dict]:
    reader = FileReader("t", path)
    rows = []
    while not reader.ended:
        for records in reader.poll(1_000):
            decoded = JsonCodec().decode(records, StreamSchema(schema))
            assert not decoded.rejected
            rows += decoded.batch.drop_columns([TS, POS]).to_pylist()
    return rows


@pytest.mark.parametrize("name", ["o.jsonl", "o.ndjson", "o.json", "o.jsonl.gz", "o.parquet"])
def test_what_is_written_reads_back(tmp_path, name):
    with FileSink(tmp_path / name) as sink:
        sink.write(BATCH)
        sink.write(pa.Table.from_batches([BATCH, BATCH]))
    assert sink.rows == 9
    assert read_back(tmp_path / name, COLUMNS) == BATCH.to_pylist() * 3
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.csv.gz"])
def test_csv_reads_back_with_null_and_empty_text_apart(tmp_path, name):
    flat = BATCH.select(FLAT)
    with FileSink(tmp_path / name) as sink:
        sink.write(flat)
        sink.write(flat)
    assert read_back(tmp_path / name, flat.schema) == flat.to_pylist() * 2


def test_csv_holds_epoch_milliseconds_and_json_for_nested_values(tmp_path):
    with FileSink(tmp_path / "o.csv") as sink:
        sink.write(BATCH)
    with (tmp_path / "o.csv").open(newline="") as file:
        first, *_ = csv.DictReader(file)
    assert first["ts"] == str(int(dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC).timestamp()) * 1_000)
    assert json.loads(first["xs"]) == [1, 2]


def test_hidden_columns_are_left_out(tmp_path):
    with FileSink(tmp_path / "o.jsonl") as sink:
        sink.write(pa.record_batch({"x": [1], TS: [1], POS: [1]}))
    assert (tmp_path / "o.jsonl").read_bytes() == b'{"x":1}\n'


@pytest.mark.parametrize(
    ("columns", "name"), [({"x": [1, 2]}, "op"), ({"op": [1, 2]}, "_op"), ({"op": [1, 2], "_op": [3, 4]}, "_op_")]
)
def test_a_changes_operation_is_its_last_column(tmp_path, columns, name):
    rows = pa.record_batch({OP: ["upsert", "delete"], **columns})
    with FileSink(tmp_path / "o.jsonl", schema=rows.schema) as sink:
        sink.write(rows)
    written = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [list(row) for row in written] == [[*columns, name]] * 2
    assert [row[name] for row in written] == ["upsert", "delete"]


@pytest.mark.parametrize("name", ["o.jsonl", "o.csv", "o.parquet", "o.csv.gz"])
@pytest.mark.parametrize("schema", [COLUMNS, None])
def test_no_rows_still_make_a_valid_file(tmp_path, name, schema):
    FileSink(tmp_path / name, schema=schema).close()
    assert read_back(tmp_path / name, COLUMNS) == []
    if name == "o.parquet":
        assert pq.read_schema(tmp_path / name).names == (COLUMNS.names if schema else [])
    if name == "o.csv" and schema is not None:
        assert (tmp_path / name).read_text().strip().replace('"', "").split(",") == COLUMNS.names


def test_nothing_is_there_under_the_name_before_it_is_whole(tmp_path):
    sink = FileSink(tmp_path / "o.jsonl")
    sink.write(BATCH)
    assert not (tmp_path / "o.jsonl").exists()
    sink.close()
    sink.close()
    assert (tmp_path / "o.jsonl").exists()


def crash(sink: FileSink) -> None:
    with sink:
        sink.write(BATCH)
        raise RuntimeError("crash")


def test_an_error_leaves_what_was_there_before(tmp_path):
    (tmp_path / "o.jsonl").write_text("old")
    with pytest.raises(RuntimeError, match="crash"):
        crash(FileSink(tmp_path / "o.jsonl"))
    assert (tmp_path / "o.jsonl").read_text() == "old"
    assert os.listdir(tmp_path) == ["o.jsonl"]


def test_many_small_batches_make_few_row_groups(tmp_path):
    with FileSink(tmp_path / "o.parquet") as sink:
        for n in range(500):
            sink.write(pa.record_batch({"x": np.arange(n, n + 10)}))
    file = pq.ParquetFile(tmp_path / "o.parquet")
    assert (file.metadata.num_rows, file.num_row_groups) == (5_000, 1)
    file.close()


def test_other_columns_are_refused(tmp_path):
    sink = FileSink(tmp_path / "o.jsonl", schema=pa.schema([("x", pa.int64())]))
    with pytest.raises(SchemaError, match=r"do not continue o\.jsonl, which has x"):
        sink.write(pa.record_batch({"y": [1]}))
    sink.abort()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("o.jsnol", "did you mean .jsonl"),
        ("o", "it has no ending"),
        ("none/o.csv", "no folder"),
        ("folder.csv", "is a folder"),
        ("file.csv/o.csv", "cannot write"),
    ],
)
def test_a_place_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file.csv").touch()
    with pytest.raises(ConfigError, match=message):
        FileSink(tmp_path / name)
