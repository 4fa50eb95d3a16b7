"""Files as topics: what is in them, however they are written, and clear words when they cannot be read."""

import gzip
import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.brokers.file_reader import FileReader, count_records
from velostream_nb.brokers.files import FilesBroker
from velostream_nb.brokers.text_blocks import record_blocks
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import BrokerError, ConfigError
from velostream_nb.core.records import Lines
from velostream_nb.core.schema import StreamSchema

CODEC = JsonCodec()
SCHEMA = StreamSchema(pa.schema([("a", pa.int64()), ("s", pa.string())]))


def read(path, schema=SCHEMA, max_rows=1_000, **options):
    """Decoded rows by offset, and rejections by offset."""
    reader = FileReader("t", path, **options)
    rows, reasons = {}, {}
    while not reader.ended:
        for records in reader.poll(max_rows):
            decoded = CODEC.decode(records, schema)
            positions = decoded.batch.column("__pos").to_pylist()
            rows.update(zip(positions, decoded.batch.drop_columns(["__ts", "__pos"]).to_pylist(), strict=True))
            reasons.update((rejected.offset, rejected.reason) for rejected in decoded.rejected)
    assert reader.closed
    assert reader.progress()[0] == reader.progress()[1]
    return rows, reasons


def written(tmp_path, name: str, data: bytes):
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


TWO = ({0: {"a": 1, "s": "x"}, 1: {"a": 2, "s": None}}, {})


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "T.JSONL", "t.jsonl.gz"])
@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"s":"x"}\n{"a":2}\n',
        b'{"a":1,"s":"x"}\n{"a":2}',
        b'\xef\xbb\xbf{"a":1,"s":"x"}\r\n{"a":2}\r\n',
        b'\n\n{"a":1,"s":"x"}\n \t\r\n   \n{"a":2}\n\n\n',
        b'   {"a":1,"s":"x"}\n\t{"a":2}   \n',
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_json_lines_in_their_many_forms(tmp_path, name, data, block_bytes):
    assert read(written(tmp_path, name, data), block_bytes=block_bytes) == TWO


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(
    "data",
    [
        b"a,s\n1,x\n2,\n",
        b"a,s\n1,x\n2,",
        b'\xef\xbb\xbf"a","s"\r\n1,"x"\r\n\r\n2,\r\n',
        b"s;a\nx;1\n;2\n",
        b"s\ta\tother\nx\t1\t.\n\t2\t.\n",
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_csv_in_its_many_forms(tmp_path, name, data, block_bytes):
    assert read(written(tmp_path, name, data), block_bytes=block_bytes) == TWO


@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_csv_quoting(tmp_path, block_bytes):
    data = b'a,s\n1,"say ""hi"", you"\n2,"two\nlines"\n3,""\n4,\n'
    rows, reasons = read(written(tmp_path, "t.csv", data), block_bytes=block_bytes)
    assert [row["s"] for row in rows.values()] == ['say "hi", you', "two\nlines", "", None]
    assert not reasons


@pytest.mark.parametrize("block_bytes", [1, 10, 1 << 20])
def test_csv_rows_and_cells_that_are_bad_cost_only_themselves(tmp_path, block_bytes):
    data = b"a,s\n1,x\n2\n3,x,y\nfour,x\n5,\xff\n6,x\n"
    rows, reasons = read(written(tmp_path, "t.csv", data), block_bytes=block_bytes)
    assert {offset: row["a"] for offset, row in rows.items()} == {0: 1, 5: 6}
    assert reasons == {
        1: "expected 2 cells, got 1",
        2: "expected 2 cells, got 3",
        3: "expected a whole number at a, got 'four'",
        4: "not UTF-8 text",
    }


def test_a_csv_quote_that_never_closes_costs_one_line(tmp_path):
    data = b'a,s\n1,x\n2,"open\n3,x\n4,x\n'
    rows, reasons = read(written(tmp_path, "t.csv", data))
    assert [row["a"] for row in rows.values()] == [1, 3, 4]
    assert reasons == {1: "a quote is not closed"}
    rows, reasons = read(written(tmp_path, "t.csv", data * 3), max_record_bytes=10, block_bytes=4)
    assert len(rows) + len(reasons) == count_records(tmp_path / "t.csv", max_record_bytes=10, block_bytes=4)


def test_a_csv_of_one_header_only_is_empty(tmp_path):
    assert read(written(tmp_path, "t.csv", b"a,s\n")) == ({}, {})
    assert read(written(tmp_path, "e.csv", b"")) == ({}, {})
    assert read(written(tmp_path, "e.jsonl", b"")) == ({}, {})
    assert count_records(tmp_path / "t.csv") == count_records(tmp_path / "e.csv") == 0


def test_csv_types_are_inferred_from_the_cells(tmp_path):
    path = written(tmp_path, "t.csv", b"timestamp,price,code\n1700000000000,1,007\n1700000000001,2.5,008\n")
    (records,) = FileReader("t", path).poll(10)
    schema = CODEC.infer(records)
    assert schema.time_column == "timestamp"
    assert [str(field.type) for field in schema.columns] == ["timestamp[us]", "double", "string"]


def test_parquet_streams_row_groups_and_only_the_wanted_columns(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": range(100), "s": ["x"] * 100}), path, row_group_size=7)
    rows, reasons = read(path, max_rows=13)
    assert [row["a"] for row in rows.values()] == list(range(100))
    assert not reasons
    reader = FileReader("t", path, columns=["a"], start=50)
    assert reader.lag_rows() == 50
    (first, *_) = reader.poll(3)
    assert first.payload.schema.names == ["a"]
    assert first.offsets.tolist() == first.payload.column("a").to_pylist() == [50, 51, 52]
    reader.close()


def test_csv_reads_only_the_wanted_columns(tmp_path):
    (records,) = FileReader("t", written(tmp_path, "t.csv", b"a,s\n1,x\n"), columns=["s"]).poll(10)
    assert records.payload.schema.names == ["s"]


@pytest.mark.parametrize("block_bytes", [10, 1_000, 1 << 20])
@pytest.mark.parametrize("name", ["t.jsonl", "t.csv"])
def test_a_huge_record_is_rejected_and_the_rest_is_read(tmp_path, block_bytes, name):
    huge = b"y" * 5_000
    if name == "t.csv":
        data = b"a,s\n1,x\n2," + huge + b"\n3,x\n4," + huge
    else:
        data = b'{"a":1}\n{"a":2,"s":"' + huge + b'"}\n{"a":3}\n{"a":4,"s":"' + huge
    path = written(tmp_path, name, data)
    rows, reasons = read(path, block_bytes=block_bytes, max_record_bytes=2_000)
    assert {offset: row["a"] for offset, row in rows.items()} == {0: 1, 2: 3}
    assert set(reasons) == {1, 3}
    assert "longer than 2000 bytes" in reasons[1]
    assert count_records(path, block_bytes=block_bytes, max_record_bytes=2_000) == 4


def test_memory_does_not_follow_the_file(tmp_path):
    path = tmp_path / "big.jsonl"
    line = b'{"a":1,"s":"' + b"x" * 988 + b'"}\n'
    path.write_bytes(line * 20_000)
    reader = FileReader("t", path)
    tracemalloc.start()
    rows = 0
    while not reader.ended:
        rows += sum(records.rows for records in reader.poll(1_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 20_000
    assert peak < 8_000_000  # of 20 MB


def test_lag_and_progress_shrink_to_nothing(tmp_path):
    path = written(tmp_path, "t.jsonl", b'{"a":1}\n' * 5_000)
    reader = FileReader("t", path, block_bytes=1_000)
    lags = []
    while not reader.ended:
        reader.poll(500)
        lags.append(reader.lag_rows())
    assert lags == sorted(lags, reverse=True)
    assert lags[0] == pytest.approx(4_500, rel=0.05)
    assert lags[-1] == 0


def test_a_closed_reader_has_not_ended_and_refuses_to_go_on(tmp_path):
    reader = FileReader("t", written(tmp_path, "t.jsonl", b'{"a":1}\n' * 10))
    reader.poll(1)
    reader.close()
    reader.close()
    assert not reader.ended
    with pytest.raises(BrokerError, match="is closed"):
        reader.poll(1)


# what cannot be read


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("markt.jsonl", BrokerError, "did you mean market.jsonl"),
        ("nothere/market.jsonl", BrokerError, "there is no folder"),
        ("market.jsnl", ConfigError, "did you mean .jsonl"),
        ("market", ConfigError, "it has no ending"),
        ("market.parquet.gz", ConfigError, "Parquet compresses its own columns"),
        ("folder.csv", BrokerError, "is a folder"),
    ],
)
def test_a_file_that_cannot_be_opened(tmp_path, name, error, message):
    written(tmp_path, "market.jsonl", b"")
    (tmp_path / "folder.csv").mkdir()
    for attempt in (lambda: FileReader("t", tmp_path / name), lambda: FilesBroker({"t": tmp_path / name})):
        with pytest.raises(error) as caught:
            attempt()
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.parquet", b"no parquet", "as Parquet"),
        ("t.json", b'[{"a":1}]', "one JSON array, not JSON lines"),
        ("t.csv", b"a,a\n1,2\n", "the header repeats a"),
        ("t.csv", b"\xff,a\n1,2\n", "header is not UTF-8"),
        ("t.jsonl", '{"a":1}\n'.encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_that_is_not_what_its_ending_says(tmp_path, name, data, message):
    with pytest.raises(BrokerError, match=message):
        FileReader("t", written(tmp_path, name, data)).poll(1)


def test_a_damaged_archive_is_an_error_at_the_damage(tmp_path):
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 50_000)[:-20])
    reader = FileReader("t", path)
    with pytest.raises(BrokerError, match="cannot read"):
        reader.poll(60_000)
    assert reader.closed


def test_the_header_of_a_csv_over_the_limit_is_an_error(tmp_path):
    path = written(tmp_path, "t.csv", b"a" * 100 + b"\n1\n")
    with pytest.raises(BrokerError, match="CSV header"):
        FileReader("t", path, max_record_bytes=50).poll(1)


# the broker over them


def test_file_topics_and_other_topics_live_side_by_side(tmp_path):
    path = written(tmp_path, "day.jsonl", b'{"a":1,"s":"x"}\n{"a":2}\n')
    broker = FilesBroker({"day": path})
    broker.produce("alerts", pa.array([b"{}"], pa.binary()))
    assert [(info.name, info.rows) for info in broker.topics()] == [("alerts", 1), ("day", 2)]
    with pytest.raises(BrokerError, match="did you mean day"):
        broker.reader("dai")
    with pytest.raises(BrokerError, match="only read"):
        broker.produce("day", pa.array([b"{}"], pa.binary()))
    with pytest.raises(BrokerError, match="1 partition, not 2"):
        broker.create_topic("day", partitions=2)
    broker.create_topic("day", schema=SCHEMA)
    assert broker.topic("day").columns == {"a": "BIGINT", "s": "VARCHAR"}
    reader = broker.reader("day")
    reader.poll(1)
    broker.close()
    with pytest.raises(BrokerError, match="closed"):
        reader.poll(1)
    assert path.exists()


def test_a_file_that_grew_is_counted_again(tmp_path):
    path = written(tmp_path, "day.jsonl", b'{"a":1}\n')
    broker = FilesBroker({"day": path})
    assert broker.topic("day").rows == 1
    path.write_bytes(b'{"a":1}\n{"a":2}\n')
    assert broker.topic("day").rows == 2
    broker.close()


# blocks


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int) -> bytes:
        out, self.data = self.data[:size], self.data[size:]
        return out


line_texts = st.lists(st.text("ab \t\r", max_size=6).map(str.encode), max_size=12)


@given(line_texts, st.integers(1, 9), st.booleans())
def test_blocks_hold_every_line_that_is_not_blank_in_order(lines, block_bytes, ends_with_newline):
    data = b"\n".join(lines) + (b"\n" if ends_with_newline else b"")
    blocks = list(record_blocks(Bytes(data), block_bytes=block_bytes))
    found = []
    for block in blocks:
        payload = Lines(block.data, block.rows)
        assert len(payload.data.rstrip(b"\n").split(b"\n")) == block.rows
        starts = [0, *(block.ends[:-1] + 1).tolist()]
        found += [block.data[a:b] for a, b in zip(starts, block.ends.tolist(), strict=True)]
    assert found == [line for line in lines if line.strip()]


quoted_cells = st.lists(st.lists(st.text('a,"\n', max_size=5), min_size=2, max_size=2), min_size=1, max_size=8)


@given(quoted_cells, st.integers(1, 12))
def test_quoted_newlines_never_cut_a_record(rows, block_bytes):
    records = [",".join('"' + cell.replace('"', '""') + '"' for cell in row).encode() for row in rows]
    blocks = list(record_blocks(Bytes(b"\n".join(records)), quoted=True, block_bytes=block_bytes))
    found = []
    for block in blocks:
        starts = [0, *(block.ends[:-1] + 1).tolist()]
        found += [block.data[a:b] for a, b in zip(starts, block.ends.tolist(), strict=True)]
    assert found == records


def test_offsets_of_json_lines_are_record_numbers(tmp_path):
    path = written(tmp_path, "t.jsonl", b"".join(json.dumps({"a": n}).encode() + b"\n\n" for n in range(50)))
    reader = FileReader("t", path, start=20, block_bytes=64)
    sets = []
    while not reader.ended:
        sets += reader.poll(7)
    assert np.concatenate([records.offsets for records in sets]).tolist() == list(range(20, 50))
    rows = [row["a"] for records in sets for row in CODEC.decode(records, SCHEMA).batch.to_pylist()]
    assert rows == list(range(20, 50))
