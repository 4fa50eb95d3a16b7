"""Intervals as texts agree with DuckDB, and round-trip."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.core.intervals import iso_interval, read_interval


@pytest.mark.parametrize(
    "text",
    [
        "1 month 2 days 00:00:03.5", "2 years 3 months", "-5 minutes", "1 day -01:30:00", "00:00:00.000001", "3 weeks",
        "1 hour 30 min", "10 seconds", "250 milliseconds", "-1 months 2 days", "1.5 hours", "1 decade 1 quarter",
    ],
)  # fmt: skip
def test_words_mean_what_they_mean_to_duckdb(text):
    with duckdb.connect() as con:
        expected = con.sql(f"SELECT INTERVAL '{text}' AS v").to_arrow_table().column("v")[0].as_py()
    assert read_interval(text) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("P1Y2M3W4DT5H6M7.5S", (14, 25, (5 * 3_600 + 6 * 60) * 10**9 + 7_500_000_000)),
        ("-P1DT1H", (0, -1, -3_600 * 10**9)),
        ("P-1M", (-1, 0, 0)),
        ("PT0.000001S", (0, 0, 1_000)),
        ("p1d", (0, 1, 0)),
        ("P0.5D", (0, 0, 43_200 * 10**9)),
    ],
)
def test_iso_durations(text, parts):
    assert read_interval(text) == pa.MonthDayNano(parts)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "-P", "1", "day", "1 day 2", "1 parsec", "P0.5M", "1:2", "9" * 30 + " days"]
)
def test_what_is_no_interval(text):
    assert read_interval(text) is None


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-(2**53), 2**53))
def test_written_intervals_are_read_back(months, days, us):
    value = pa.MonthDayNano((months, days, us * 1_000))
    assert read_interval(iso_interval(value)) == value
