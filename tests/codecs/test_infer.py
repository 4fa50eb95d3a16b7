"""Schemas of topics that nobody declared."""

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import FAULT, RAW, TEXT_CELLS, Lines, RecordSet
from velostream_nb.core.types import column_types


def infer(payload, rows: int):
    return JsonCodec().infer(RecordSet("t", 0, np.arange(rows), np.zeros(rows, np.int64), payload))


def infer_json(*records: bytes):
    schema = infer(Lines(b"\n".join(records), len(records)), len(records))
    return column_types(schema.columns), schema.time_column


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1", "2"], "BIGINT"),
        (["1", "2.5"], "DOUBLE"),
        (["1", "99999999999999999999"], "DECIMAL(38,0)"),
        (['"a"', "null"], "VARCHAR"),
        (["true"], "BOOLEAN"),
        (["null"], "VARCHAR"),
        (["1", '"a"'], "VARCHAR"),
        (["1", "true"], "VARCHAR"),
        (["[1]", "[2.5]", "[]"], "DOUBLE[]"),
        (["[]"], "VARCHAR[]"),
        (['{"a": 1}', '{"b": "x"}'], "STRUCT(a BIGINT, b VARCHAR)"),
        (["{}"], "VARCHAR"),
    ],
)
def test_the_type_that_holds_all_values(values, dtype):
    types, _ = infer_json(*(b'{"x":%s}' % value.encode() for value in values))
    assert types == {"x": dtype}


def test_columns_in_the_order_they_are_met_and_event_time_by_name():
    types, time_column = infer_json(b'{"b":1,"timestamp":1700000000000}', b'{"a":"x"}')
    assert list(types.items()) == [("b", "BIGINT"), ("timestamp", "TIMESTAMP"), ("a", "VARCHAR")]
    assert time_column == "timestamp"


def test_event_time_as_iso_text():
    assert infer_json(b'{"ts":"2024-01-02T03:04:05Z"}') == ({"ts": "TIMESTAMP"}, "ts")
    assert infer_json(b'{"ts":"2024-01-02"}', b'{"ts":"soon"}') == ({"ts": "VARCHAR"}, None)


def test_records_that_are_no_objects_are_passed_over():
    assert infer_json(b"garbage", b"[1]", b'{"x":1}') == ({"x": "BIGINT"}, None)


def test_nothing_that_decodes_is_an_error_that_says_why():
    with pytest.raises(SchemaError, match="not JSON: invalid character at byte 0"):
        infer_json(b"garbage")
    with pytest.raises(SchemaError, match="there are no records"):
        infer(Lines(b"", 0), 0)


def test_typed_payloads_keep_their_types_made_normal():
    batch = pa.record_batch(
        {
            "s": pa.array(["1"]).dictionary_encode(),
            "ts": pa.array([1_700_000_000_000]),
            "n": pa.array([1], pa.int16()),
            "__op": ["upsert"],
        }
    )
    schema = infer(batch, 1)
    assert column_types(schema.columns) == {"s": "VARCHAR", "ts": "TIMESTAMP", "n": "SMALLINT"}
    assert schema.time_column == "ts"


def test_cells_of_text_are_looked_at():
    columns = {
        "n": ["1", "-2"],
        "x": ["1", "2.5e3"],
        "b": ["true", "FALSE"],
        "zip": ["01234", "5"],
        "s": ["a", "1"],
        "nothing": pa.array([None, None], pa.string()),
        "timestamp": ["1700000000000", "1700000000001"],
    }
    batch = pa.record_batch(columns).replace_schema_metadata({TEXT_CELLS: b"1"})
    schema = infer(batch, 2)
    assert list(column_types(schema.columns).values()) == [
        "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR", "VARCHAR", "TIMESTAMP",
    ]  # fmt: skip


def test_marks_of_the_reader_are_no_columns():
    batch = pa.record_batch({"x": [1, None], FAULT: [None, "bad"], RAW: pa.array([None, b""], pa.binary())})
    assert infer(batch, 2).names == ["x"]
    with pytest.raises(SchemaError, match="no columns"):
        infer(batch.select([FAULT, RAW]), 2)
