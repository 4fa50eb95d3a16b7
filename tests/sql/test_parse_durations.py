import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.core.errors import ParseError
from velostream_nb.sql.durations import UNITS, interval_sql, parse_duration_us

MINUTE = 60_000_000


@pytest.mark.parametrize(
    "text",
    ["5m", "5min", "300s", "300000ms", "5 minutes", "5 MINUTE", "INTERVAL '5' MINUTE", "interval 5 minutes",
     "INTERVAL '5 minutes'", "INTERVAL (5) MINUTES", "00:05:00", "0:05", "4m60s", "INTERVAL '4 minutes 60 seconds'",
     " 5m ", "INTERVAL '300' SECOND", "-INTERVAL '-5' MINUTE"],
)  # fmt: skip
def test_five_minutes_in_many_spellings(text: str) -> None:
    assert parse_duration_us(text) == 5 * MINUTE


@pytest.mark.parametrize(
    ("text", "us"),
    [("250ms", 250_000), ("1h", 60 * MINUTE), ("1d", 1440 * MINUTE), ("2w", 14 * 1440 * MINUTE), ("7us", 7), ("7µs", 7),
     ("1.5s", 1_500_000), ("0s", 0), ("-1h30m", -90 * MINUTE), ("1h -30m", 30 * MINUTE), ("00:00:00.25", 250_000),
     (".5s", 500_000)],
)  # fmt: skip
def test_units(text: str, us: int) -> None:
    assert parse_duration_us(text) == us


@pytest.mark.parametrize(
    ("text", "says"),
    [("5", "has no unit"), ("", "not a duration"), ("abc", "not a duration"), ("5 parsecs", "unknown unit 'parsecs'"),
     ("1 month", "a month"), ("INTERVAL '1' YEAR", "a year"), ("5M", "write 5m for minutes"), ("0.5us", "finer"),
     ("999999999999d", "too long"), ("9" * 5000 + "s", "too long"), ("5m x", "not a duration"),
     ("INTERVAL '5'", "has no unit")],
)  # fmt: skip
def test_what_is_no_duration_says_why_with_examples(text: str, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_duration_us(text)
    assert says in str(caught.value)
    assert caught.value.hint


@given(st.integers(-(2**50), 2**50))
def test_an_interval_reads_back_as_what_it_was(us: int) -> None:
    assert parse_duration_us(interval_sql(us)) == us


@given(st.integers(0, 2**22), st.sampled_from(sorted(UNITS)))
def test_every_unit_is_linear(number: int, unit: str) -> None:
    assert parse_duration_us(f"{number}{unit}") == number * parse_duration_us(f"1{unit}")


@given(st.text(max_size=60))
def test_any_text_is_a_duration_or_a_parse_error(text: str) -> None:
    with contextlib.suppress(ParseError):
        assert isinstance(parse_duration_us(text), int)
