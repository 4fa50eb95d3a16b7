"""What JSON records become, and what is said about those that become nothing."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import Lines, RecordSet, pack_position
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type

CODEC = JsonCodec()


def stream(time_column: str | None = None, **columns: str) -> StreamSchema:
    return StreamSchema(pa.schema([(name, arrow_type(dtype)) for name, dtype in columns.items()]), time_column)


def lines(*records: bytes, first: int = 0) -> RecordSet:
    count = len(records)
    offsets = np.arange(first, first + count)
    return RecordSet("t", 0, offsets, np.full(count, 5, np.int64), Lines(b"\n".join(records) + b"\n", count))


def values(*records: bytes | None) -> RecordSet:
    count = len(records)
    payload = pa.array(records, pa.binary())
    return RecordSet("t", 0, np.arange(count), np.full(count, 5, np.int64), payload)


def one(json_value: str, dtype: str):
    """The value of column x, or the reason why there is none."""
    decoded = CODEC.decode(lines(b'{"x":%s}' % json_value.encode()), stream(x=dtype))
    if decoded.rejected:
        return decoded.rejected[0].reason
    return decoded.batch.column("x").to_pylist()[0]


@pytest.mark.parametrize(
    ("json_value", "dtype", "expected"),
    [
        ("3", "BIGINT", 3),
        ("3.0", "BIGINT", 3),
        ("3e2", "BIGINT", 300),
        ("9223372036854775807", "BIGINT", 2**63 - 1),
        ("-9223372036854775808", "BIGINT", -(2**63)),
        ("9007199254740993.0", "BIGINT", 9007199254740993),
        ("18446744073709551615", "UBIGINT", 2**64 - 1),
        ("127", "TINYINT", 127),
        ("99999999999999999999", "HUGEINT", Decimal("99999999999999999999")),
        ("1", "DOUBLE", 1.0),
        ("1.5", "DOUBLE", 1.5),
        ("1e-320", "DOUBLE", 1e-320),
        ("0.5", "FLOAT", 0.5),
        ("1.10", "DECIMAL(10,2)", Decimal("1.10")),
        ('"12345678.91"', "DECIMAL(10,2)", Decimal("12345678.91")),
        ("1.135", "DECIMAL(10,2)", Decimal("1.14")),
        ("7", "DECIMAL(10,2)", Decimal("7.00")),
        ("true", "BOOLEAN", True),
        ('"é\\n\\u20ac\\ud83d\\ude00"', "VARCHAR", "é\n€😀"),
        ("5.50", "VARCHAR", "5.50"),
        ("true", "VARCHAR", "true"),
        ('{"a": [1, 2.0]}', "VARCHAR", '{"a": [1, 2.0]}'),
        ("1700000000000", "TIMESTAMP", dt.datetime(2023, 11, 14, 22, 13, 20)),
        ("1.7e12", "TIMESTAMP", dt.datetime(2023, 11, 14, 22, 13, 20)),
        ('"2024-01-02"', "TIMESTAMP", dt.datetime(2024, 1, 2)),
        ('"2024-01-02 03:04:05.000006"', "TIMESTAMP", dt.datetime(2024, 1, 2, 3, 4, 5, 6)),
        ('"2024-01-02T03:04:05.123456789Z"', "TIMESTAMP", dt.datetime(2024, 1, 2, 3, 4, 5, 123456)),
        ('"2024-01-02T03:04:05+02:00"', "TIMESTAMP", dt.datetime(2024, 1, 2, 1, 4, 5)),
        ('"1700000000000"', "TIMESTAMP", dt.datetime(2023, 11, 14, 22, 13, 20)),
        ("-1", "TIMESTAMP", dt.datetime(1969, 12, 31, 23, 59, 59, 999000)),
        ('"2024-02-29"', "DATE", dt.date(2024, 2, 29)),
        ('"14:30:00"', "TIME", dt.time(14, 30)),
        ('"aGk="', "BLOB", b"hi"),
        ("[1, null, 2]", "INTEGER[]", [1, None, 2]),
        ('{"a": 1, "z": 9}', "STRUCT(a INTEGER, b VARCHAR)", {"a": 1, "b": None}),
        ('{"k": 1.5}', "MAP(VARCHAR, DOUBLE)", [("k", 1.5)]),
        ('[{"t": 1000}]', "STRUCT(t TIMESTAMP)[]", [{"t": dt.datetime(1970, 1, 1, 0, 0, 1)}]),
        ('[{"key": 1, "value": "x"}]', "MAP(INTEGER, VARCHAR)", [(1, "x")]),
        ('[["a", null]]', "MAP(VARCHAR, INTEGER)", [("a", None)]),
        ('{"2024-01-02": 1}', "MAP(DATE, INTEGER)", [(dt.date(2024, 1, 2), 1)]),
        ('"P1M2DT3.5S"', "INTERVAL", pa.MonthDayNano((1, 2, 3_500_000_000))),
        ("1500", "INTERVAL", pa.MonthDayNano((0, 0, 1_500_000_000))),
        ('[null, "1 day"]', "INTERVAL[]", [None, pa.MonthDayNano((0, 1, 0))]),
        ('"2024-01-02T03:04:05+02:00"', "TIMESTAMPTZ", dt.datetime(2024, 1, 2, 1, 4, 5, tzinfo=dt.UTC)),
        ("null", "BIGINT", None),
        ("null", "DOUBLE", None),
    ],
)
def test_a_value_that_fits(json_value, dtype, expected):
    assert one(json_value, dtype) == expected


@pytest.mark.parametrize(
    ("json_value", "dtype", "reason"),
    [
        ('"abc"', "DOUBLE", "expected a number at x, got 'abc'"),
        ('"1.5"', "DOUBLE", "expected a number at x, got '1.5'"),
        ("3.5", "BIGINT", "expected a whole number at x, got 3.5"),
        ("true", "BIGINT", "expected a whole number at x, got true"),
        ("false", "DOUBLE", "expected a number at x, got false"),
        ("1", "BOOLEAN", "expected true or false at x, got 1"),
        ('"true"', "BOOLEAN", "expected true or false at x, got 'true'"),
        ("9223372036854775808", "BIGINT", "9223372036854775808 at x is out of range for BIGINT"),
        ("128", "TINYINT", "128 at x is out of range for TINYINT"),
        ("-1", "UBIGINT", "-1 at x is out of range for UBIGINT"),
        ("1e400", "DOUBLE", "1E+400 at x is out of range for DOUBLE"),
        ("1e39", "FLOAT", "1e+39 at x is out of range for FLOAT"),
        ("1e999999999", "BIGINT", "expected a whole number at x, got 1E+999999999"),
        ("1e999999999", "DECIMAL(10,2)", "1E+999999999 at x is out of range for DECIMAL(10,2)"),
        ("99999999.995", "DECIMAL(10,2)", "99999999.995 at x is out of range for DECIMAL(10,2)"),
        ('"NaN"', "DECIMAL(10,2)", "expected a number at x, got NaN"),
        ("NaN", "DOUBLE", "not JSON: invalid character at byte 5"),
        ("Infinity", "DOUBLE", "not JSON: invalid character at byte 5"),
        ("1700000000000000", "TIMESTAMP",
         "1700000000000000 at x is out of range for epoch milliseconds (are these microseconds?)"),
        ('"yesterday"', "TIMESTAMP", "expected epoch milliseconds or an ISO-8601 time at x, got 'yesterday'"),
        ('"2024-02-30"', "TIMESTAMP", "expected epoch milliseconds or an ISO-8601 time at x, got '2024-02-30'"),
        ('"1_7"', "TIMESTAMP", "expected epoch milliseconds or an ISO-8601 time at x, got '1_7'"),
        ("20240102", "DATE", "expected a date like 2026-01-31 at x, got 20240102"),
        ('"25:00"', "TIME", "expected a time like 14:30:00 at x, got '25:00'"),
        ('"?"', "BLOB", "expected base64 text at x, got '?'"),
        ('"soon"', "INTERVAL", "expected an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds at x, got 'soon'"),
        ("true", "INTERVAL", "expected an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds at x, got true"),
        ("[1]", "MAP(INTEGER, VARCHAR)", "expected an object, or a list of key and value at x, got 1"),
        ("1" * 39, "HUGEINT", "111111111111111111111111111111111111111 at x is out of range for DECIMAL(38,0)"),
        ("5", "INTEGER[]", "expected a list at x, got 5"),
        ("[1, true]", "INTEGER[]", "expected a whole number at x[1], got true"),
        ("[1]", "INTEGER[2]", "expected a list of 2 at x, got a list"),
        ('{"a": "q"}', "STRUCT(a INTEGER)", "expected a whole number at x.a, got 'q'"),
        ("[]", "STRUCT(a INTEGER)", "expected an object at x, got a list"),
        ('{"k": []}', "MAP(VARCHAR, DOUBLE)", "expected a number at x.k, got a list"),
        ('"\\ud800"', "VARCHAR", "not JSON: half a surrogate pair in a text"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_rejected_with_its_reason(json_value, dtype, reason):
    assert one(json_value, dtype) == reason


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"x":1', "not JSON: truncated at byte 6"),
        (b'{"x":1}}', "not JSON: trailing characters at byte 7"),
        (b'{"x":01}', "not JSON: invalid number at byte 6"),
        (b'{"x":1}{"x":2}', "not JSON: trailing characters at byte 7"),
        (b"", "not JSON: an empty record"),
        (b'{"y":"\xff","x":"z"}', "not JSON: invalid UTF-8 at byte 6"),
        (b'{"y":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "not JSON: nested too deeply"),
        (b"[1]", "expected an object, got a list"),
        (b"null", "expected an object, got null"),
        (b'"text"', "expected an object, got text"),
        (b"12", "expected an object, got a number"),
        (None, "a tombstone: the record has no value"),
    ],
)
def test_a_record_that_is_no_object_is_rejected(record, reason):
    decoded = CODEC.decode(values(b'{"x":1}', record, b'{"x":2}'), stream(x="BIGINT"))
    (rejected,) = decoded.rejected
    assert rejected.reason.startswith(reason.rstrip("0123456789"))
    assert (rejected.offset, rejected.path, rejected.raw) == (1, "", record or b"")
    assert decoded.batch.column("x").to_pylist() == [1, 2]


def test_two_objects_on_a_line_never_stand_in_for_a_broken_line():
    # as many objects as lines, and msgspec alone would take it
    decoded = CODEC.decode(lines(b'{"x":1}{"x":2}', b'{"x":', b"3}", b'{"x":4}'), stream(x="BIGINT"))
    assert decoded.batch.column("x").to_pylist() == [4]
    assert [rejected.offset for rejected in decoded.rejected] == [0, 1, 2]


def test_an_object_over_two_lines_is_two_bad_lines():
    decoded = CODEC.decode(lines(b'{"x":', b"1}"), stream(x="BIGINT"))
    assert decoded.batch.num_rows == 0
    assert len(decoded.rejected) == 2


def test_the_last_of_repeated_keys_counts_even_when_an_earlier_one_does_not_fit():
    decoded = CODEC.decode(lines(b'{"x":1,"x":2}', b'{"x":"no","x":3}'), stream(x="BIGINT"))
    assert decoded.batch.column("x").to_pylist() == [2, 3]


def test_absent_event_time_and_not_null_columns_reject_and_other_absences_are_null():
    schema = StreamSchema(
        pa.schema([pa.field("k", pa.string(), nullable=False), ("v", pa.int64()), ("ts", pa.timestamp("us"))]), "ts"
    )
    records = [b'{"k":"a","ts":1}', b'{"k":"a","v":1}', b'{"v":1,"ts":1}', b'{"k":null,"v":1,"ts":1}']
    decoded = CODEC.decode(lines(*records), schema)
    assert decoded.batch.column("v").to_pylist() == [None]
    assert [(r.offset, r.reason, r.path) for r in decoded.rejected] == [
        (1, "ts is missing", "ts"),
        (2, "k is missing", "k"),
        (3, "k is missing", "k"),
    ]


def test_hidden_columns_carry_event_time_and_position():
    schema = stream("ts", ts="TIMESTAMP", x="BIGINT")
    records = lines(b'{"ts":7,"x":1}', b"bad", b'{"ts":9,"x":2}', first=40)
    records = RecordSet("t", 3, records.offsets, records.timestamps_ms, records.payload)
    batch = CODEC.decode(records, schema, ["x"]).batch
    assert batch.schema.names == ["x", "__ts", "__pos"]
    assert batch.column("__ts").to_pylist() == [7_000, 9_000]
    assert batch.column("__pos").to_pylist() == [pack_position(3, 40), pack_position(3, 42)]


def test_without_event_time_the_brokers_timestamp_is_taken():
    batch = CODEC.decode(lines(b'{"x":1}'), stream(x="BIGINT")).batch
    assert batch.column("__ts").to_pylist() == [5_000]


def test_an_integer_event_time_is_epoch_milliseconds():
    schema = stream("t", t="BIGINT")
    decoded = CODEC.decode(lines(b'{"t":7}', b'{"t":999999999999999999}'), schema)
    assert decoded.batch.column("__ts").to_pylist() == [7_000]
    assert "out of range" in decoded.rejected[0].reason


def test_columns_come_in_the_order_of_the_schema_and_unknown_ones_are_refused():
    schema = stream(a="BIGINT", b="BIGINT", c="BIGINT")
    batch = CODEC.decode(lines(b'{"c":3,"b":2,"a":1}'), schema, ["c", "a"]).batch
    assert batch.schema.names[:2] == ["a", "c"]
    with pytest.raises(SchemaError, match="unknown column 'd'"):
        CODEC.decode(lines(b"{}"), schema, ["d"])


def test_field_names_that_need_the_slow_path():
    schema = StreamSchema(pa.schema([('a"b', pa.int64()), ("c\\d", pa.float64())]))
    batch = CODEC.decode(lines(b'{"a\\"b":1,"c\\\\d":2.5}'), schema).batch
    assert batch.to_pylist()[0] | {"__ts": 0, "__pos": 0} == {'a"b': 1, "c\\d": 2.5, "__ts": 0, "__pos": 0}


def test_carriage_returns_are_white_space_and_not_part_of_raw():
    decoded = CODEC.decode(lines(b'{"x":1}\r', b"no\r"), stream(x="BIGINT"))
    assert decoded.batch.column("x").to_pylist() == [1]
    assert decoded.rejected[0].raw == b"no"


def test_raw_bytes_are_capped():
    decoded = CODEC.decode(values(b'{"x":"' + b"y" * 100_000), stream(x="BIGINT"))
    assert len(decoded.rejected[0].raw) == 65_536


def test_empty_record_sets():
    empty = RecordSet("t", 0, np.arange(0), np.zeros(0, np.int64), pa.array([], pa.binary()))
    decoded = CODEC.decode(empty, stream("ts", x="BIGINT", ts="TIMESTAMP"))
    assert decoded.batch.num_rows == 0
    assert decoded.batch.schema.names == ["x", "ts", "__ts", "__pos"]
    empty_lines = RecordSet("t", 0, np.arange(0), np.zeros(0, np.int64), Lines(b"", 0))
    assert CODEC.decode(empty_lines, stream(x="BIGINT")).batch.num_rows == 0


def test_a_number_in_a_decimal_column_never_passes_through_a_float():
    digits = "12345678901234567890.123456789012345678"
    record = b'{"x":%s,"y":[%s,0.1],"z":{"a":0.1}}' % (digits.encode(), digits.encode())
    wide = stream(x="DECIMAL(38,18)", y="DECIMAL(38,18)[]", z="STRUCT(a DECIMAL(38,18))")
    for payload in (lines(record), lines(record, b'{"x":"not a number"}'), values(record)):
        (row,) = CODEC.decode(payload, wide).batch.select(["x", "y", "z"]).to_pylist()
        assert row == {"x": Decimal(digits), "y": [Decimal(digits), Decimal("0.1")], "z": {"a": Decimal("0.1")}}


def test_nan_and_infinity_come_as_texts_and_are_no_null():
    records = [b'{"x":"NaN","y":"-Infinity"}', b'{"x":null,"y":"inf"}', b'{"x":1,"y":2}', b'{"y":"nan"}']
    for payload in (lines(*records), values(*records)):
        batch = CODEC.decode(payload, stream(x="DOUBLE", y="FLOAT")).batch
        assert batch.column("x").is_valid().to_pylist() == [True, False, True, False]
        assert batch.column("x").is_null(nan_is_null=True).to_pylist() == [True, True, False, True]
        assert [str(v) for v in batch.column("y").to_pylist()] == ["-inf", "inf", "2.0", "nan"]
