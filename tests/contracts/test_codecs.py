"""The contract of codecs, over all of them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.contract import Codec
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import OP, POS, TS, RecordSet, pack_position
from velostream_nb.core.schema import StreamSchema

COLUMNS = pa.schema(
    [pa.field("k", pa.string(), nullable=False), ("x", pa.float64()), ("n", pa.int64()), ("ts", pa.timestamp("us"))]
)
SCHEMA = StreamSchema(COLUMNS, "ts", key=("k",))
ROWS = [
    {"k": "a", "x": 1.5, "n": 2**62 + 1, "ts": dt.datetime(2024, 1, 1)},
    {"k": "é€😀", "x": None, "n": None, "ts": dt.datetime(2024, 1, 2, 3, 4, 5, 6_000)},
]
BATCH = pa.RecordBatch.from_pylist(ROWS, schema=COLUMNS)


@pytest.fixture(params=[JsonCodec], ids=lambda made: made.name)
def codec(request) -> Codec:
    return request.param()


def records(payload, rows: int, partition: int = 2) -> RecordSet:
    return RecordSet("t", partition, np.arange(10, 10 + rows), np.full(rows, 77, np.int64), payload)


@pytest.fixture(params=["encoded", "typed"])
def record_set(request, codec) -> RecordSet:
    return records(codec.encode(BATCH) if request.param == "encoded" else BATCH, len(ROWS))


def test_rows_survive(codec, record_set):
    decoded = codec.decode(record_set, SCHEMA)
    assert decoded.batch.schema.names == ["k", "x", "n", "ts", TS, POS]
    assert decoded.batch.select(COLUMNS.names).to_pylist() == ROWS
    assert [field.type for field in decoded.batch.schema][:4] == [field.type for field in COLUMNS]
    assert not decoded.rejected


def test_position_and_event_time_of_each_row(codec, record_set):
    batch = codec.decode(record_set, SCHEMA, ["x"]).batch
    assert batch.schema.names == ["x", TS, POS]
    assert batch.column(POS).to_pylist() == [pack_position(2, 10), pack_position(2, 11)]
    times = [int(row["ts"].replace(tzinfo=dt.UTC).timestamp() * 1_000_000) for row in ROWS]
    assert batch.column(TS).to_pylist() == times


def test_without_event_time_the_broker_tells_it(codec, record_set):
    batch = codec.decode(record_set, StreamSchema(COLUMNS)).batch
    assert batch.column(TS).to_pylist() == [77_000, 77_000]


def test_a_record_without_what_is_required_is_rejected_alone(codec):
    loose = pa.schema([field.with_nullable(True) for field in COLUMNS])
    rows = [ROWS[0], {**ROWS[0], "ts": None}, {**ROWS[0], "k": None}, ROWS[1]]
    batch = pa.RecordBatch.from_pylist(rows, schema=loose)
    for payload in (batch, codec.encode(batch)):
        decoded = codec.decode(records(payload, 4), SCHEMA)
        assert decoded.batch.column(POS).to_pylist() == [pack_position(2, 10), pack_position(2, 13)]
        assert [(r.topic, r.partition, r.offset, r.path) for r in decoded.rejected] == [
            ("t", 2, 11, "ts"),
            ("t", 2, 12, "k"),
        ]
        assert all(r.raw and r.reason for r in decoded.rejected)


def test_garbage_is_rejected_with_its_bytes_and_never_raises(codec):
    (good, _) = codec.encode(BATCH).to_pylist()
    payload = pa.array([b"\x00garbage\xff", good, b"", None], pa.binary())
    decoded = codec.decode(records(payload, 4), SCHEMA)
    assert decoded.batch.column(POS).to_pylist() == [pack_position(2, 11)]
    assert [(r.offset, r.raw) for r in decoded.rejected] == [(10, b"\x00garbage\xff"), (12, b""), (13, b"")]


def test_a_column_that_the_schema_lacks_is_refused(codec, record_set):
    with pytest.raises(SchemaError, match="unknown column"):
        codec.decode(record_set, SCHEMA, ["nope"])


def test_no_records_give_an_empty_batch_of_the_right_columns(codec):
    for payload in (BATCH.slice(0, 0), pa.array([], pa.binary())):
        batch = codec.decode(records(payload, 0), SCHEMA).batch
        assert (batch.num_rows, batch.schema.names) == (0, ["k", "x", "n", "ts", TS, POS])


def test_hidden_columns_are_not_encoded(codec):
    hidden = {TS: [1, 2], POS: [1, 2], OP: ["upsert", "delete"]}
    with_hidden = pa.RecordBatch.from_arrays(
        [*BATCH.columns, *map(pa.array, hidden.values())], names=[*COLUMNS.names, *hidden]
    )
    assert codec.encode(with_hidden).equals(codec.encode(BATCH))


def test_the_schema_is_inferred(codec, record_set):
    schema = codec.infer(record_set)
    assert (schema.names, schema.time_column) == (COLUMNS.names, "ts")
    assert [field.type for field in schema.columns] == [field.type for field in COLUMNS]
    assert codec.decode(record_set, schema).batch.select(COLUMNS.names).to_pylist() == ROWS


def test_nothing_to_infer_from_is_an_error(codec):
    with pytest.raises(SchemaError):
        codec.infer(records(pa.array([b"\x00garbage"], pa.binary()), 1))
