"""Types that share their Arrow type with text: what was declared still holds, however the value comes."""

from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.ingest import rows_to_payloads
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_field, column_types, enum_values, field_type

ID = "550e8400-e29b-41d4-a716-446655440000"


def schema(**columns: str) -> StreamSchema:
    return StreamSchema(pa.schema([arrow_field(name, dtype) for name, dtype in columns.items()]))


def decode(payload, declared: StreamSchema):
    """Values of column x, and reasons of rejection."""
    count = payload.rows if isinstance(payload, Lines) else len(payload)
    decoded = JsonCodec().decode(RecordSet("t", 0, np.arange(count), np.zeros(count, np.int64), payload), declared)
    return decoded.batch.column("x").to_pylist(), [rejected.reason for rejected in decoded.rejected]


def from_json(*values: str, dtype: str):
    data = b"".join(b'{"x":%s}\n' % value.encode() for value in values)
    return decode(Lines(data, len(values)), schema(x=dtype))


def from_arrow(values: pa.Array, dtype: str):
    return decode(pa.record_batch({"x": values}), schema(x=dtype))


def from_dicts(*values: object, dtype: str):
    (payload,) = rows_to_payloads([{"x": value} for value in values], schema(x=dtype))
    return decode(payload, schema(x=dtype))


def test_a_uuid_is_one_text_however_it_is_written():
    spelled = [ID, ID.upper(), ID.replace("-", ""), "{" + ID + "}"]
    assert from_json(*(f'"{text}"' for text in spelled), "null", dtype="UUID") == ([ID] * 4 + [None], [])
    assert from_arrow(pa.array([*spelled, None]), "UUID") == ([ID] * 4 + [None], [])
    assert from_arrow(pa.array([uuid.UUID(ID).bytes, None], pa.uuid()), "UUID") == ([ID, None], [])
    assert from_dicts(uuid.UUID(ID), ID.upper(), None, dtype="UUID") == ([ID, ID, None], [])


def test_what_is_no_uuid_is_rejected_and_the_others_pass():
    reason = "expected a UUID at x, got 'nope'"
    assert from_json(f'"{ID}"', '"nope"', dtype="UUID") == ([ID], [reason])
    assert from_arrow(pa.array([ID, "nope"]), "UUID") == ([ID], [reason])
    assert from_dicts(ID, "nope", dtype="UUID") == ([ID], [reason])


def test_json_is_kept_as_json_text_with_its_digits():
    given = ['{"a":1.10}', "[1,null]", '"text"', "1.10", "true", "null"]
    assert from_json(*given, dtype="JSON") == (['{"a":1.10}', "[1,null]", '"text"', "1.10", "true", None], [])


def test_json_within_a_text_is_the_json_that_it_holds():
    assert from_json(r'"{\"a\": 1}"', '"{no json"', dtype="JSON") == (['{"a": 1}', '"{no json"'], [])


def test_json_in_a_typed_column_has_to_be_json():
    assert from_arrow(pa.array(['{"a": 1}', "{", None]), "JSON") == (
        ['{"a": 1}', None],
        ["expected JSON at x, got '{'"],
    )
    assert from_dicts({"a": [1, None]}, "text", 5, dtype="JSON") == (['{"a":[1,null]}', '"text"', "5"], [])


@pytest.mark.parametrize("read", [from_json, from_dicts])
def test_an_enum_takes_its_values_and_no_others(read):
    given = ('"buy"', '"Buy"', "null") if read is from_json else ("buy", "Buy", None)
    assert read(*given, dtype="ENUM('buy','sell')") == (["buy", None], ["expected one of buy, sell at x, got 'Buy'"])


def test_an_enum_in_a_dictionary_column():
    column = pa.array(["sell", "hold", None]).dictionary_encode()
    assert from_arrow(column, "ENUM('buy','sell')") == (["sell", None], ["expected one of buy, sell at x, got 'hold'"])


def test_columns_that_differ_in_what_was_declared_alone_are_read_differently():
    data = b'{"x":"nope"}\n'
    assert decode(Lines(data, 1), schema(x="VARCHAR")) == (["nope"], [])
    assert decode(Lines(data, 1), schema(x="UUID"))[0] == []
    assert schema(x="VARCHAR") != schema(x="UUID")
    assert schema(x="UUID") == schema(x="uuid")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("uuid", "UUID"),
        ("json", "JSON"),
        ("enum('a','it''s')", "ENUM('a', 'it''s')"),
        ("HUGEINT", "HUGEINT"),
        ("INT128", "HUGEINT"),
        ("UUID[]", "VARCHAR[]"),
        ("ENUM", "VARCHAR"),
        ("DECIMAL(10,2)", "DECIMAL(10,2)"),
    ],
)
def test_the_declared_name_is_shown(name, shown):
    field = arrow_field("x", name)
    assert field_type(field) == shown
    assert column_types(pa.schema([field.with_nullable(False)])) == {"x": shown}


def test_values_of_an_enum():
    assert enum_values("ENUM('a', 'it''s', '')") == ["a", "it's", ""]
    assert enum_values("VARCHAR") == []
