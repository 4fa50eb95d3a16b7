"""Cells of text, as CSV has them, in columns of every type: by the same rules as the text in a JSON record."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_field

ID = "550e8400-e29b-41d4-a716-446655440000"


def read(dtype: str, *cells: str | None):
    """Values, and reasons of rejection."""
    payload = pa.record_batch({"x": pa.array(cells, pa.string())})
    records = RecordSet("t", 0, np.arange(len(cells)), np.zeros(len(cells), np.int64), payload)
    decoded = JsonCodec().decode(records, StreamSchema(pa.schema([arrow_field("x", dtype)])))
    return decoded.batch.column("x").to_pylist(), [rejected.reason for rejected in decoded.rejected]


@pytest.mark.parametrize(
    ("dtype", "cell", "value"),
    [
        ("DECIMAL(38,18)", "12345678901234567890.123456789012345678", Decimal("12345678901234567890.123456789012345678")),
        ("HUGEINT", "100000000000000000000", Decimal(10**20)),
        ("UBIGINT", " 18446744073709551615", 2**64 - 1),
        ("DOUBLE", "Infinity", float("inf")),
        ("BOOLEAN", "TRUE", True),
        ("TIMESTAMP", "2024-01-01T02:00:00+02:00", dt.datetime(2024, 1, 1)),
        ("TIMESTAMPTZ", "1704067200000", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
        ("DATE", "2024-02-29", dt.date(2024, 2, 29)),
        ("TIME", "14:30", dt.time(14, 30)),
        ("INTERVAL", "2 days 01:30:00", pa.MonthDayNano((0, 2, 5_400 * 10**9))),
        ("UUID", ID.upper(), ID),
        ("JSON", '{"a": 1.10}', '{"a": 1.10}'),
        ("ENUM('buy', 'sell')", "sell", "sell"),
        ("BLOB", "AP8=", b"\x00\xff"),
        ("BIGINT[]", "[1, null]", [1, None]),
        ("STRUCT(a DECIMAL(4,2), b TEXT)", '{"a": 1.10}', {"a": Decimal("1.10"), "b": None}),
        ("MAP(INTEGER, VARCHAR)", '{"1": "x"}', [(1, "x")]),
        ("VARCHAR", "é", "é"),
    ],
)  # fmt: skip
def test_a_cell(dtype, cell, value):
    assert read(dtype, cell, None) == ([value, None], [])


@pytest.mark.parametrize(
    ("dtype", "cell", "reason"),
    [
        ("BIGINT[]", "1, 2", "expected JSON at x, got '1, 2'"),
        ("BIGINT[]", "[1, true]", "expected a whole number at x[1], got true"),
        ("STRUCT(a INTEGER)", "[]", "expected an object at x, got a list"),
        ("JSON", "plain", "expected JSON at x, got 'plain'"),
        ("UUID", "plain", "expected a UUID at x, got 'plain'"),
        ("DECIMAL(4,2)", "100", "'100' at x is out of range for DECIMAL(4,2)"),
    ],
)
def test_a_cell_that_is_no_such_value(dtype, cell, reason):
    assert read(dtype, cell, None) == ([None], [reason])
