"""Pull queries: full DuckDB over Arrow, locked down, with errors at their place."""

from __future__ import annotations

import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError, UnsupportedError, VeloError
from velostream_nb.engine.pull import pull
from velostream_nb.sql.parse import parse

TRADES = {"trades": pa.table({"symbol": ["A", "B", "A"], "price": [1.0, 2.0, 3.0], "n": [1, 2, 3]})}


def ask(text: str) -> pa.Table:
    (statement,) = parse(text).statements
    return pull(statement.query, TRADES, now_us=1_700_000_000_000_000)


def test_the_whole_of_duckdb_is_there():
    text = (
        "WITH t AS (SELECT symbol, SUM(n) AS n FROM trades GROUP BY ALL) "
        "SELECT symbol, n, RANK() OVER (ORDER BY n DESC) AS r FROM t ORDER BY r LIMIT 1"
    )
    assert ask(text).to_pylist() == [{"symbol": "A", "n": 4, "r": 1}]


def test_sums_of_integers_are_integers():
    assert ask("SELECT SUM(n) AS n FROM trades").schema.field("n").type == pa.int64()


def test_timestamp_is_the_time_given():
    assert str(ask("SELECT timestamp() AS t")["t"][0]) == "2023-11-14 22:13:20"


@pytest.mark.parametrize(
    ("text", "message", "hint", "column"),
    [
        ("SELECT simbol FROM trades", "unknown column 'simbol'", "symbol", 8),
        ("SELECT\n  prize FROM trades", "unknown column 'prize'", "price", 3),
        ("SELECT 1 FROM trads", "unknown stream or topic 'trads'", "trades", 15),
        ("SELECT upperr(symbol) FROM trades", "unknown function 'upperr'", "upper", 8),
    ],
)
def test_unknown_names_get_near_names_at_their_place(text, message, hint, column):
    with pytest.raises(BindError) as caught:
        ask(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.place is not None
    assert caught.value.place.column == column


def test_types_that_do_not_go_together_are_named():
    with pytest.raises(BindError, match=r"there is no /\(VARCHAR, VARCHAR\)") as caught:
        ask("SELECT symbol / symbol FROM trades")
    assert "CREATE STREAM" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('README.md')",
        "SELECT * FROM 'README.md'",
        "SELECT * FROM glob('*')",
        "SELECT * FROM read_text('pyproject.toml')",
    ],
)
def test_it_cannot_read_the_machine(text):
    with pytest.raises(VeloError):
        ask(text)


def test_a_streaming_window_is_refused_with_a_rewrite():
    with pytest.raises(UnsupportedError, match="need a job") as caught:
        ask("SELECT COUNT(*) FROM trades GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)")
    assert "time_bucket" in (caught.value.hint or "")
