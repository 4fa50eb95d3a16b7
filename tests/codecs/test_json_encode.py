"""Rows to JSON and back, and the shape of what is written."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.codecs.json_encode import FEW_ROWS
from velostream_nb.core.records import FAULT, OP, POS, RAW, TS
from velostream_nb.core.types import arrow_type

CODEC = JsonCodec()


def text_of(values: list, dtype: pa.DataType) -> list[str]:
    encoded = CODEC.encode(pa.record_batch({"x": pa.array(values, dtype)})).to_pylist()
    return [record.decode().removeprefix('{"x":').removesuffix("}") for record in encoded]


def test_numbers():
    assert text_of([1, -(2**63), None], pa.int64()) == ["1", "-9223372036854775808", "null"]
    assert text_of([175.0, 0.1, -0.0, 1e21, 1e-7], pa.float64()) == ["175.0", "0.1", "-0.0", "1e+21", "1e-7"]
    assert text_of([float("nan"), float("inf"), -float("inf"), None], pa.float64()) == ["null"] * 4
    assert text_of([0.1, 2.0], pa.float32()) == ["0.1", "2.0"]
    assert text_of([Decimal("1.10"), Decimal("-99999999999999999999.01")], pa.decimal128(38, 2)) == [
        "1.10",
        "-99999999999999999999.01",
    ]


def test_texts_are_escaped_as_json_wants():
    texts = ["plain", 'say "hi"', "back\\slash", "new\nline", "\x00\x1f", "é€😀", "", "</script>"]
    assert [json.loads(text) for text in text_of(texts, pa.string())] == texts
    assert text_of(["a", None], pa.large_string()) == ['"a"', "null"]
    assert text_of(["a", "a"], pa.dictionary(pa.int8(), pa.string())) == ['"a"', '"a"']


def test_times_become_epoch_milliseconds_rounded_down():
    times = [0, 1_999, -1, -1_000, -1_001, None]
    assert text_of(times, pa.timestamp("us")) == ["0", "1", "-1", "-1", "-2", "null"]
    assert text_of([5], pa.timestamp("s")) == ["5000"]
    assert text_of([1_999_999], pa.timestamp("ns")) == ["1"]
    assert text_of([7_000], pa.timestamp("us", tz="Europe/Berlin")) == ["7"]
    assert text_of([dt.date(2024, 1, 2)], pa.date32()) == ['"2024-01-02"']
    assert text_of([dt.time(1, 2, 3)], pa.time64("us")) == ['"01:02:03"']


def test_nested_values():
    nested = arrow_type("STRUCT(a INTEGER, t TIMESTAMP, d DECIMAL(4,2)[], m MAP(VARCHAR, DATE), b BLOB)")
    value = {
        "a": 1,
        "t": dt.datetime(1970, 1, 1, 0, 0, 1),
        "d": [Decimal("1.10"), None],
        "m": [("k", dt.date(2024, 1, 2))],
        "b": b"hi",
    }
    expected = '{"a":1,"t":1000,"d":[1.10,null],"m":{"k":"2024-01-02"},"b":"aGk="}'
    assert text_of([value, None], nested) == [expected, "null"]


def test_lines_are_the_values_with_newlines_and_slices_encode_their_own_rows():
    batch = pa.record_batch({"x": pa.array(range(10)), "s": pa.array([f"s{i}" for i in range(10)])}).slice(3, 4)
    assert CODEC.encode_lines(batch) == b"".join(record + b"\n" for record in CODEC.encode(batch).to_pylist())
    assert CODEC.encode_lines(batch.slice(0, 0)) == b""
    assert json.loads(CODEC.encode_lines(batch).splitlines()[0]) == {"x": 3, "s": "s3"}


def test_hidden_columns_are_left_out_and_odd_names_are_escaped():
    batch = pa.record_batch({TS: [1], POS: [1], OP: ["upsert"], 'a"b': [1]})
    assert CODEC.encode(batch).to_pylist() == [b'{"a\\"b":1}']
    assert CODEC.encode(batch.select([TS])).to_pylist() == [b"{}"]


def test_a_record_that_is_no_row_goes_out_as_it_came():
    batch = pa.record_batch({"x": [1, None], FAULT: [None, "bad"], RAW: pa.array([None, b"oops"], pa.binary())})
    assert CODEC.encode(batch).to_pylist() == [b'{"x":1}', b"oops"]
    assert CODEC.encode_lines(batch) == b'{"x":1}\n'


VALUES = {
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(['"', "\\", "\x7f", "/"]),
    "DOUBLE": st.floats() | st.floats(1e-5, 1e11) | st.integers(-(10**11), 10**11).map(float),
    "FLOAT": st.floats(width=32),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "INTEGER": st.integers(-(2**31), 2**31 - 1),
    "UBIGINT": st.integers(0, 2**64 - 1),
    "BOOLEAN": st.booleans(),
    "TIMESTAMP": st.integers(-(10**15), 10**15),
    "TIMESTAMPTZ": st.integers(-(10**15), 10**15),
    "DATE": st.dates(),
    "DECIMAL(12,3)": st.decimals(-(10**6), 10**6, places=3),
    "BLOB": st.binary(max_size=4),
    "INTEGER[]": st.lists(st.none() | st.integers(0, 9), max_size=2),
}


@settings(deadline=None)
@given(st.data(), st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
def test_a_row_is_the_same_bytes_in_a_small_batch_and_in_a_big_one(data, types):
    rows = data.draw(st.integers(1, 5))
    columns = {
        f"c{n}": data.draw(st.lists(st.none() | VALUES[t], min_size=rows, max_size=rows)) for n, t in enumerate(types)
    }
    arrays = [pa.array(values, arrow_type(t)) for values, t in zip(columns.values(), types, strict=True)]
    few = pa.RecordBatch.from_arrays(arrays, names=list(columns))
    many = pa.concat_batches([few] * (FEW_ROWS + 1))
    assert CODEC.encode(many).to_pylist() == CODEC.encode(few).to_pylist() * (FEW_ROWS + 1)
    assert CODEC.encode_lines(many) == CODEC.encode_lines(few) * (FEW_ROWS + 1)


def test_shortest_numbers_read_back_the_same():
    rng = np.random.default_rng(1)
    numbers = np.concatenate([rng.normal(size=2_000), np.exp(rng.uniform(-700, 700, 2_000)), np.arange(200) * 1e17])
    assert [float(text) for text in text_of(numbers.tolist(), pa.float64())] == numbers.tolist()
