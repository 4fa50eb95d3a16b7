"""Types that several batches have in common, and types that grow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.ingest import rows_to_payloads
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.codecs.widen import common_type, known_type, widened_schema
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type, column_types, sql_type


def typed(name: str) -> pa.DataType:
    return pa.null() if name == "?" else arrow_type(name)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("BIGINT", "BIGINT", "BIGINT"),
        ("?", "DATE", "DATE"),
        ("INTEGER", "DOUBLE", "DOUBLE"),
        ("BIGINT", "FLOAT", "DOUBLE"),
        ("TINYINT", "INTEGER", "INTEGER"),
        ("UTINYINT", "TINYINT", "SMALLINT"),
        ("UINTEGER", "BIGINT", "BIGINT"),
        ("UBIGINT", "BIGINT", "DECIMAL(38,0)"),
        ("UTINYINT", "UINTEGER", "UINTEGER"),
        ("DECIMAL(10,2)", "DECIMAL(8,4)", "DECIMAL(12,4)"),
        ("DECIMAL(10,2)", "BIGINT", "DECIMAL(21,2)"),
        ("DECIMAL(38,0)", "DECIMAL(38,18)", "DOUBLE"),
        ("DECIMAL(10,2)", "DOUBLE", "DOUBLE"),
        ("DATE", "TIMESTAMP", "TIMESTAMP"),
        ("BIGINT", "VARCHAR", "VARCHAR"),
        ("BOOLEAN", "BIGINT", "VARCHAR"),
        ("BIGINT[]", "DOUBLE[]", "DOUBLE[]"),
        ("STRUCT(a BIGINT)", "STRUCT(b TEXT, a DOUBLE)", "STRUCT(a DOUBLE, b VARCHAR)"),
        ("MAP(TEXT, INTEGER)", "MAP(TEXT, BIGINT)", "MAP(VARCHAR, BIGINT)"),
        ("STRUCT(a BIGINT)", "BIGINT[]", "VARCHAR"),
    ],
)
def test_the_type_that_holds_both(one, other, common):
    assert sql_type(common_type(typed(one), typed(other))) == common
    swapped = common_type(typed(other), typed(one))
    assert sql_type(swapped) == common or common.startswith("STRUCT")


def test_what_was_never_seen_is_text():
    nested = pa.struct([("a", pa.null()), ("b", pa.list_(pa.null()))])
    assert sql_type(known_type(nested)) == "STRUCT(a VARCHAR, b VARCHAR[])"


def test_paths_widen_what_they_lead_to():
    schema = StreamSchema(
        pa.schema([("x", pa.int64()), ("legs", arrow_type("STRUCT(n BIGINT, p BIGINT)[]")), ("m", arrow_type("MAP(TEXT, INT)")),
                   ("ts", pa.timestamp("us"))]), "ts",
    )  # fmt: skip
    double = pa.float64()
    paths = dict.fromkeys(["x", "legs[3].p", "m.a b", "nobody", "x.y", "legs.n", "ts"], double)
    assert column_types(widened_schema(schema, paths)) == {
        "x": "DOUBLE", "legs": "STRUCT(n BIGINT, p DOUBLE)[]", "m": "MAP(VARCHAR, DOUBLE)", "ts": "TIMESTAMP",
    }  # fmt: skip


def decoded(payload, schema: StreamSchema):
    count = payload.rows if isinstance(payload, Lines) else len(payload)
    return JsonCodec().decode(RecordSet("t", 0, np.arange(count), np.zeros(count, np.int64), payload), schema)


INFERRED = StreamSchema(pa.schema([("x", pa.int64()), ("q", arrow_type("STRUCT(n BIGINT)"))]), inferred=True)
CASES = [
    (b'{"x":1.5}', 1.5, {"x": pa.float64()}),
    (b'{"x":9223372036854775808}', 2**63, {"x": pa.decimal128(38, 0)}),
    (b'{"x":"text"}', "text", {}),
    (b'{"x":true}', True, {}),
    (b'{"x":2.0}', 2.0, {}),
]


@pytest.mark.parametrize(("line", "value", "widen"), CASES)
def test_a_number_that_an_inferred_column_does_not_hold_says_what_would(line, value, widen):
    from_json = decoded(Lines(b'{"x":1}\n' + line + b"\n", 2), INFERRED)
    (payload,) = rows_to_payloads([{"x": 1}, {"x": value}], INFERRED)
    from_dicts = decoded(payload, INFERRED)
    for found in (from_json, from_dicts):
        assert dict(found.widen) == widen
        assert len(found.rejected) == (0 if value == 2.0 else 1)
    assert dict(decoded(Lines(line + b"\n", 1), StreamSchema(INFERRED.columns)).widen) == {}


def test_typed_batches_and_nested_numbers_too():
    assert dict(decoded(pa.record_batch({"x": pa.array([1.0, 2.5])}), INFERRED).widen) == {"x": pa.float64()}
    assert dict(decoded(Lines(b'{"q":{"n":0.5}}\n', 1), INFERRED).widen) == {"q.n": pa.float64()}


def test_the_first_records_of_all_partitions_and_forms_are_looked_at():
    runs = [
        Lines(b'{"x":1,"never":null}\n{"x":2,"tags":[]}\n', 2),
        pa.array([b'{"x":2.5,"tags":["a"],"ts":1700000000000}'], pa.binary()),
        pa.record_batch({"x": [1], "y": pa.array([None], pa.null()), "ts": ["2024-01-01T00:00:00Z"]}),
    ]
    sets = []
    for partition, payload in enumerate(runs):
        count = payload.rows if isinstance(payload, Lines) else len(payload)
        sets.append(RecordSet("t", partition, np.arange(count), np.zeros(count, np.int64), payload))
    schema = JsonCodec().infer(*sets)
    assert schema.inferred
    assert column_types(schema.columns) == {
        "x": "DOUBLE", "never": "VARCHAR", "tags": "VARCHAR[]", "ts": "VARCHAR", "y": "VARCHAR",
    }  # fmt: skip
