"""Pull queries: full DuckDB over Arrow, locked down, with errors at their place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError, UnsupportedError, VeloError
from velostream_nb.engine.pull import pull
from velostream_nb.sql.parse import parse
from velostream_nb.sql.pull import views_read
from velostream_nb.sql.statements import Pull

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


AT = [dt.datetime(1969, 12, 31, 23, 59, 50) + dt.timedelta(seconds=s) for s in (0, 3, 10, 14, 15, 19, 20, 31)]
READINGS = {"t": pa.table({"ts": pa.array(AT, pa.timestamp("us")), "x": list(range(8))})}


def windows(text: str) -> list[tuple[object, ...]]:
    (statement,) = parse(text).statements
    assert isinstance(statement, Pull)
    rows = pull(statement.query, READINGS, now_us=0).to_pylist()
    return sorted((r["window_start"], r["window_end"], r["xs"]) for r in rows)


def expected(bounds: Callable[[dt.datetime], list[tuple[dt.datetime, dt.datetime]]]) -> list[tuple[object, ...]]:
    found: dict[tuple[dt.datetime, dt.datetime], list[int]] = {}
    for x, at in enumerate(AT):
        for window in bounds(at):
            found.setdefault(window, []).append(x)
    return sorted((start, end, xs) for (start, end), xs in found.items())


ORIGIN = dt.datetime(1970, 1, 1)
SECOND = dt.timedelta(seconds=1)


def hops(size: int, slide: int, offset: int = 0) -> Callable[[dt.datetime], list[tuple[dt.datetime, dt.datetime]]]:
    def bounds(at: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
        starts = [ORIGIN + (offset + i * slide) * SECOND for i in range(-100, 100)]
        return [(s, s + size * SECOND) for s in starts if s <= at < s + size * SECOND]

    return bounds


def cumulates(size: int, step: int) -> Callable[[dt.datetime], list[tuple[dt.datetime, dt.datetime]]]:
    def bounds(at: dt.datetime) -> list[tuple[dt.datetime, dt.datetime]]:
        ((base, _),) = hops(size, size)(at)
        ends = [base + i * step * SECOND for i in range(1, size // step + 1)]
        return [(base, end) for end in ends if at < end]

    return bounds


SELECT = "SELECT window_start, window_end, list(x ORDER BY x) AS xs FROM"


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        (f"{SELECT} t GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)", hops(10, 10)),
        (f"{SELECT} t GROUP BY TUMBLE(ts, INTERVAL '7' SECOND)", hops(7, 7)),
        (f"{SELECT} t GROUP BY HOP(ts, 5s, 15s)", hops(15, 5)),
        (f"{SELECT} t WINDOW SLIDING(ts, 10s, 4s)", hops(10, 4)),
        (f"{SELECT} TUMBLE(TABLE t, DESCRIPTOR(ts), 10s) GROUP BY window_start, window_end", hops(10, 10)),
        (f"{SELECT} TUMBLE(TABLE t, DESCRIPTOR(ts), 10s, 3s) GROUP BY window_start, window_end", hops(10, 10, 3)),
        (f"{SELECT} CUMULATE(TABLE t, DESCRIPTOR(ts), 5s, 20s) GROUP BY window_start, window_end", cumulates(20, 5)),
        (f"{SELECT} (SELECT * FROM HOP(TABLE t, DESCRIPTOR(ts), 5s, 10s)) GROUP BY ALL", hops(10, 5)),
    ],
)
def test_streaming_windows_hold_the_rows_that_their_bounds_say(text, bounds):
    assert windows(text) == expected(bounds)


def test_windows_over_windows_mean_their_own_bounds():
    text = """WITH w AS (SELECT window_start, window_end, count(*) AS n FROM t GROUP BY TUMBLE(ts, 5s))
              SELECT window_start, window_end, list(n ORDER BY window_end) AS xs FROM w
              GROUP BY TUMBLE(window_end, 20s)"""
    counts = hops(5, 5)
    inner = [(end, len(xs)) for _, end, xs in expected(counts)]
    found: dict[tuple[object, object], list[int]] = {}
    for end, n in sorted(inner):
        found.setdefault(hops(20, 20)(end)[0], []).append(n)
    assert windows(text) == sorted((*bounds, ns) for bounds, ns in found.items())


def test_a_window_function_in_where_filters_what_it_was_computed_over():
    text = "SELECT n FROM trades WHERE lag(n) OVER (PARTITION BY symbol ORDER BY n) = 1 AND price > 0"
    assert ask(text)["n"].to_pylist() == [3]
    assert (
        ask("SELECT n, row_number() OVER (ORDER BY n) AS r FROM trades WHERE n > 1 QUALIFY r = 1")["n"][0].as_py() == 2
    )


def test_views_are_expanded_in_the_order_they_need():
    views = {
        name: parse(text).statements[0].query  # type: ignore[attr-defined]
        for name, text in {
            "per": "SELECT symbol, SUM(n) AS n FROM Dear GROUP BY symbol",
            "dear": "WITH x AS (SELECT * FROM trades) SELECT * FROM x WHERE price >= 2",
        }.items()
    }
    (statement,) = parse(
        "WITH a AS (SELECT * FROM PER) SELECT a.n FROM a JOIN dear USING (symbol) ORDER BY 1"
    ).statements
    assert isinstance(statement, Pull)
    read = views_read(statement.query, lambda name: views.get(name.lower()))
    assert list(read) == ["dear", "per"]
    assert pull(statement.query, TRADES, now_us=0, views=read)["n"].to_pylist() == [2, 3]


def test_a_session_window_is_refused_with_a_rewrite():
    with pytest.raises(UnsupportedError, match="need a job") as caught:
        ask("SELECT COUNT(*) FROM trades GROUP BY SESSION(ts, INTERVAL '1' MINUTE)")
    assert "START JOB" in (caught.value.hint or "")
    assert caught.value.place is not None
