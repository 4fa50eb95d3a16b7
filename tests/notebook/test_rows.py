import datetime as dt
import re
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from velostream_nb.notebook.rows import Rows, to_pandas
from velostream_nb.notebook.values import MAX_CHARS, texts

EVIL = "<img src=x onerror=alert(1)>"


def column(*values: object, kind: pa.DataType | None = None) -> list[str | None]:
    return texts(pa.chunked_array([pa.array(values, kind)]))


def test_text_of_records_and_names_of_columns_are_escaped() -> None:
    html = Rows(pa.table({EVIL: [EVIL, "a&b"]}), EVIL)._repr_html_()
    assert "<img" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") == 3
    assert "a&amp;b" in html


def test_numbers_stand_right_and_text_left() -> None:
    rows = Rows(pa.table({"name": ["a"], "n": [1], "x": [1.5], "d": pa.array([Decimal("1.10")])}))
    html = rows._repr_html_()
    assert "<th>name</th>" in html
    assert [f'<td class="n">{v}</td>' in html for v in ("1", "1.5", "1.1")] == [True] * 3
    assert repr(Rows(pa.table({"name": ["a", "bbb"], "n": [1, 100]}))).splitlines() == [
        "name    n",
        "----  ---",
        "a       1",
        "bbb   100",
        "(2 rows)",
    ]


def test_rows_are_capped_and_say_so() -> None:
    rows = Rows(pa.table({"n": list(range(1_234))}), limit=10)
    assert rows._repr_html_().count("<tr>") == 11
    assert "1,234 rows, the first 10 shown" in rows._repr_html_()
    assert len(repr(rows).splitlines()) == 13


def test_columns_are_capped_and_say_so() -> None:
    html = Rows(pa.table({f"c{i}": [i] for i in range(60)}))._repr_html_()
    assert html.count("<th") - html.count("<thead") == 40
    assert "40 of 60 columns shown" in html


def test_an_empty_table_still_has_its_columns() -> None:
    rows = Rows(pa.table({"symbol": pa.array([], pa.string())}))
    assert "<th>symbol</th>" in rows._repr_html_()
    assert repr(rows).splitlines() == ["symbol", "------", "(0 rows)"]
    assert "0 rows" in Rows(pa.table({}))._repr_html_()


def test_null_is_told_from_the_text_null() -> None:
    html = Rows(pa.table({"a": [None, 1], "b": ["x", None]}))._repr_html_()
    assert len(re.findall(r'<td class="[^"]*z[^"]*">NULL</td>', html)) == 2
    assert "z" not in re.findall(r"<td([^>]*)>NULL</td>", Rows(pa.table({"a": ["NULL"]}))._repr_html_())[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 9_999, 10_000, -1_234_567), ["1", "9999", "10,000", "-1,234,567"]),
        ((1.0, 2.0), ["1", "2"]),
        ((1.0, 2.25), ["1.00", "2.25"]),
        ((0.1 + 0.2, 1.0), ["0.3", "1.0"]),
        ((123_456.789, 1.0), ["123,456.79", "1.00"]),
        ((1 / 3, 1234.56789), ["0.333333", "1234.567890"]),
        ((175.0406667, 350.1), ["175.04", "350.10"]),
        ((1e-9, 1.0), ["1e-09", "1"]),
        ((1e20, 1.5), ["1e+20", "1.5"]),
        ((float("nan"), float("inf"), 1.5), ["nan", "inf", "1.5"]),
        ((True, None), ["true", None]),
        ((2**62,), ["4,611,686,018,427,387,904"]),
    ],
)
def test_numbers_as_people_read_them(values: tuple[object, ...], expected: list[str | None]) -> None:
    assert column(*values) == expected


def test_times_lose_needless_zeros_together() -> None:
    day = dt.datetime(2026, 1, 5, 14, 30)
    assert column(day) == ["2026-01-05 14:30:00"]
    assert column(day, day + dt.timedelta(milliseconds=5)) == ["2026-01-05 14:30:00.000", "2026-01-05 14:30:00.005"]
    assert column(day + dt.timedelta(microseconds=7)) == ["2026-01-05 14:30:00.000007"]


def test_long_and_many_lined_text_is_one_short_line() -> None:
    assert column("a\nb\x00c") == ["a⏎b�c"]
    assert len(column("x" * 10_000)[0]) == MAX_CHARS
    assert column({"a": [1, None]}) == ['{"a": [1, null]}']
    assert column(b"\x01\xff") == ["\\x01ff"]


def test_pandas_keeps_integers_and_names() -> None:
    table = pa.table(
        {
            "n": pa.array([2**60 + 1, None], pa.int64()),
            "s": pa.array([Decimal(10), Decimal(20)], pa.decimal128(38, 0)),
            "big": pa.array([Decimal(2**70), Decimal(1)], pa.decimal128(38, 0)),
            "t": pa.array([dt.datetime(2026, 1, 1), None], pa.timestamp("us")),
            "plain": pa.array([1, 2], pa.int64()),
        }
    )
    frame = to_pandas(table)
    assert frame["n"].dtype == pd.Int64Dtype()
    assert frame["n"][0] == 2**60 + 1
    assert frame["s"].dtype == frame["plain"].dtype == "int64"
    assert frame["big"][0] == Decimal(2**70)
    assert frame["t"].dtype == "datetime64[us]"
    assert list(frame.columns) == table.column_names


def test_pandas_of_two_columns_of_one_name_and_of_nothing() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert to_pandas(twice).values.tolist() == [[1, 2]]
    assert list(to_pandas(twice).columns) == ["a", "a"]
    assert "2 rows" not in repr(Rows(twice))
    assert len(to_pandas(pa.table({"a": pa.array([], pa.int64())}))) == 0
