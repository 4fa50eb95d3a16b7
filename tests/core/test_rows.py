"""Rows for JSON: what it has no word for has one meaning."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa

from velostream_nb.core.rows import json_rows
from velostream_nb.core.types import HUGEINT


def test_values_of_every_kind():
    table = pa.table(
        {
            "n": pa.array([2**60]),
            "real": [float("nan")],
            "big": pa.array([Decimal(10) ** 30], HUGEINT),
            "price": pa.array([Decimal("1.10")], pa.decimal128(10, 2)),
            "exact": pa.array([Decimal("12345678901234567890.123456789012345678")], pa.decimal128(38, 18)),
            "at": pa.array([dt.datetime(2024, 1, 1)], pa.timestamp("us", tz="UTC")),
            "ago": pa.array([(1, 2, 3_000_000_000)], pa.month_day_nano_interval()),
            "raw": [b"\x00\xff"],
            "nested": [[{"day": dt.date(2024, 1, 1), "price": Decimal("0.5")}, None]],
        }
    )
    (row,) = json_rows(table)
    assert json.loads(json.dumps(row)) == {
        "n": 2**60,
        "real": None,
        "big": 10**30,
        "price": 1.1,
        "exact": "12345678901234567890.123456789012345678",
        "at": 1_704_067_200_000,
        "ago": "P1M2DT3S",
        "raw": "00ff",
        "nested": [{"day": "2024-01-01", "price": 0.5}, None],
    }
