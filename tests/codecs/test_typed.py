"""Typed payloads: cast to the schema column by column, rows that do not cast set aside one by one."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import FAULT, OP, RAW, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type

CODEC = JsonCodec()


def decode(batch: pa.RecordBatch, schema: StreamSchema, columns=None):
    count = batch.num_rows
    return CODEC.decode(RecordSet("t", 0, np.arange(count), np.full(count, 5), batch), schema, columns)


def cast(array: pa.Array, dtype: str):
    """Values of the column, with the reason in place of a value that does not fit."""
    decoded = decode(pa.record_batch({"x": array}), StreamSchema(pa.schema([("x", arrow_type(dtype))])))
    good = iter(decoded.batch.column("x").to_pylist())
    reasons = {rejected.offset: rejected.reason for rejected in decoded.rejected}
    return [reasons[at] if at in reasons else next(good) for at in range(len(array))]


def test_the_right_type_is_passed_on_without_a_copy():
    batch = pa.record_batch({"x": pa.array([1.0, 2.0]), "s": ["a", "b"]})
    schema = StreamSchema(pa.schema([("x", pa.float64()), ("s", pa.string())]))
    decoded = decode(batch, schema).batch
    assert decoded.column("x").buffers()[1].address == batch.column("x").buffers()[1].address
    assert decoded.column("s").buffers()[2].address == batch.column("s").buffers()[2].address


T0 = dt.datetime(2023, 11, 14, 22, 13, 20)


@pytest.mark.parametrize(
    ("array", "dtype", "expected"),
    [
        (pa.array(["a", "b", "a"]).dictionary_encode(), "VARCHAR", ["a", "b", "a"]),
        (pa.array(["a"], pa.large_string()), "VARCHAR", ["a"]),
        (pa.array(["a"], pa.string_view()), "VARCHAR", ["a"]),
        (pa.array([b"\xc3\xa9", b"\xff"], pa.binary()), "VARCHAR", ["é", "x is not UTF-8 text"]),
        (pa.array([1, None], pa.int8()), "BIGINT", [1, None]),
        (pa.array([1, 300, None]), "TINYINT", [1, "300 at x is out of range for TINYINT", None]),
        (pa.array([1.0, 1.5, float("nan")]), "BIGINT",
         [1, "expected a whole number at x, got 1.5", "expected a whole number at x, got nan"]),
        (pa.array([2**53 + 1]), "DOUBLE", [float(2**53)]),
        (pa.array([1.5, 1e300]), "FLOAT", [1.5, "1e+300 at x is out of range for FLOAT"]),
        (pa.array([1.1, 1e20]), "DECIMAL(10,2)", [Decimal("1.10"), "1e+20 at x is out of range for DECIMAL(10,2)"]),
        (pa.array([Decimal("1.135")]), "DECIMAL(10,2)", [Decimal("1.14")]),
        (pa.array([True]), "BIGINT", ["expected a whole number at x, got true"]),
        (pa.array([1]), "BOOLEAN", ["expected true or false at x, got 1"]),
        (pa.array([1, None]), "VARCHAR", ["1", None]),
        (pa.array([[1, 2]]), "VARCHAR", ["[1,2]"]),
        (pa.nulls(2), "DOUBLE", [None, None]),
        (pa.array([1_700_000_000_000, 10**16]), "TIMESTAMP",
         [T0, "10000000000000000 at x is out of range for epoch milliseconds (are these microseconds?)"]),
        (pa.array([1.7e12]), "TIMESTAMP", [T0]),
        (pa.array([1_700_000_000], pa.timestamp("s")), "TIMESTAMP", [T0]),
        (pa.array([1_700_000_000_000_000_999], pa.timestamp("ns")), "TIMESTAMP", [T0]),
        (pa.array([1_700_000_000_000], pa.timestamp("ms", tz="America/New_York")), "TIMESTAMP", [T0]),
        (pa.array([dt.date(2024, 1, 2)]), "TIMESTAMP", [dt.datetime(2024, 1, 2)]),
        (pa.array([[1, 2]], pa.large_list(pa.int8())), "BIGINT[]", [[1, 2]]),
        (pa.array([{"a": 1}]), "STRUCT(a DOUBLE, b VARCHAR)", [{"a": 1.0, "b": None}]),
        # cells of text, as in CSV
        (pa.array(["1", " 2 ", "1e2", "x", None]), "BIGINT",
         [1, 2, 100, "expected a whole number at x, got 'x'", None]),
        (pa.array(["1.5", "abc"]), "DOUBLE", [1.5, "expected a number at x, got 'abc'"]),
        (pa.array(["true", "False", "1", "maybe"]), "BOOLEAN",
         [True, False, True, "expected true or false at x, got 'maybe'"]),
        (pa.array(["1700000000000", "2023-11-14T22:13:20Z", "2023-11-14 22:13:20", "soon"]), "TIMESTAMP",
         [T0, T0, T0, "expected epoch milliseconds or an ISO-8601 time at x, got 'soon'"]),
        (pa.array(["2024-01-02"]), "DATE", [dt.date(2024, 1, 2)]),
        (pa.array(["1.10"]), "DECIMAL(10,2)", [Decimal("1.10")]),
        (pa.array(["aGk=", "?"]), "BLOB", [b"hi", "expected base64 text at x, got '?'"]),
    ],
)  # fmt: skip
def test_a_column_is_cast(array, dtype, expected):
    assert cast(array, dtype) == expected
    backwards = pa.concat_arrays([array.slice(at, 1) for at in reversed(range(len(array)))])
    assert cast(backwards, dtype) == expected[::-1]


def test_missing_columns_are_null_extra_ones_ignored_and_event_time_required():
    schema = StreamSchema(pa.schema([("a", pa.int64()), ("ts", pa.timestamp("us"))]), "ts")
    decoded = decode(pa.record_batch({"ts": [1, None], "z": ["q", "r"]}), schema)
    assert decoded.batch.to_pylist() == [
        {"a": None, "ts": dt.datetime(1970, 1, 1, 0, 0, 0, 1000), "__ts": 1_000, "__pos": 0}
    ]
    (rejected,) = decoded.rejected
    assert (rejected.offset, rejected.reason, rejected.raw) == (1, "ts is missing", b'{"ts":null,"z":"r"}')


def test_a_rejected_row_keeps_its_json_as_raw():
    batch = pa.record_batch({"x": pa.array(["1", "no"]), "s": ["a", "b"]})
    (rejected,) = decode(batch, StreamSchema(pa.schema([("x", pa.int64()), ("s", pa.string())]))).rejected
    assert (rejected.path, rejected.raw) == ("x", b'{"x":"no","s":"b"}')


def test_rows_that_their_reader_marked_are_rejected_with_their_bytes():
    batch = pa.record_batch({"x": [1, None], FAULT: [None, "bad row"], RAW: pa.array([None, b"1,2,3"], pa.binary())})
    decoded = decode(batch, StreamSchema(pa.schema([("x", pa.int64())])))
    assert decoded.batch.column("x").to_pylist() == [1]
    assert [(r.offset, r.reason, r.raw) for r in decoded.rejected] == [(1, "bad row", b"1,2,3")]


def test_the_operation_of_a_changelog_is_kept():
    batch = pa.record_batch({"x": [1, 2], OP: ["upsert", "delete"]})
    decoded = decode(batch, StreamSchema(pa.schema([("x", pa.int64())])), ["x"])
    assert decoded.batch.schema.names == ["x", "__ts", "__pos", OP]
    assert decoded.batch.column(OP).to_pylist() == ["upsert", "delete"]


cells = st.lists(
    st.none()
    | st.sampled_from(["1", "1.5", "-2e3", "x", "", " 7 ", "0x1F", "1_000", "nan", "inf", "2024-01-01", "٣", "9" * 20])
    | st.integers().map(str)
    | st.text(max_size=4),
    min_size=1,
    max_size=8,
)


@given(cells, st.sampled_from(["BIGINT", "DOUBLE", "DECIMAL(12,3)", "TIMESTAMP", "DATE", "BOOLEAN", "UTINYINT"]))
def test_a_cells_outcome_does_not_depend_on_its_neighbours(texts, dtype):
    array = pa.array(texts, pa.string())
    alone = [cast(array.slice(at, 1), dtype)[0] for at in range(len(array))]
    assert repr(cast(array, dtype)) == repr(alone)
