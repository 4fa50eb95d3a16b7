"""What is not incremental is refused by name, at its place, with what to write instead."""

from __future__ import annotations

import random

import pytest

from tests.engine.data import market, orders, positions
from tests.engine.harness import plan_of
from velostream_nb.core.errors import BindError, SqlError, UnsupportedError
from velostream_nb.engine.job import JobEngine

_RNG = random.Random(0)
TABLES = {
    "market_data": market(_RNG, 5),
    "trading_positions": positions(_RNG, 5),
    "order_book_updates": orders(_RNG, 5),
}

REFUSED = {
    "SELECT DISTINCT ON (symbol) symbol, price FROM market_data": ("DISTINCT ON", "ROW_NUMBER"),
    "SELECT price FROM market_data LIMIT 2 + 3": ("whole number", "LIMIT 10"),
    "SELECT symbol FROM market_data UNION ALL SELECT symbol, price FROM market_data": ("columns", "BY NAME"),
    "SELECT price FROM market_data ORDER BY price": ("ORDER BY", "sort"),
    "SELECT LAG(price) OVER (ORDER BY price) AS p FROM market_data": ("ordered by event time", "timestamp"),
    "SELECT SUM(price) OVER (ORDER BY timestamp DESC) AS p FROM market_data": ("future", "ascending"),
    "SELECT RANK() OVER (ORDER BY price) AS p FROM market_data": ("ordered by event time", "ROW_NUMBER"),
    "SELECT SUM(price) OVER (ORDER BY timestamp ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS s FROM market_data": (
        "FOLLOWING",
        "CURRENT ROW",
    ),
    "SELECT a.price AS p FROM market_data a LEFT JOIN market_data b": ("LEFT JOIN without ON", "ON a.key = b.key"),
    "SELECT symbol FROM market_data WHERE price > (SELECT price FROM market_data)": ("several rows", "aggregate"),
    "SELECT COUNT(DISTINCT symbol) OVER (ORDER BY timestamp) AS n FROM market_data": ("remember every value", "window"),
    "SELECT COUNT(*) AS n FROM market_data GROUP BY TUMBLE(price, INTERVAL '5' SECOND)": ("event time", "timestamp"),
    "SELECT p.price AS x FROM market_data p ASOF JOIN market_data m ON p.symbol = m.symbol": (
        "compares no times",
        ">=",
    ),
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT x FROM r": ("recursive", "unfold"),
}

UNKNOWN = {
    "SELECT simbol FROM market_data": "symbol",
    "SELECT price FROM market_dat": "market_data",
    "SELECT m.prize FROM market_data m": "price",
    "SELECT x.price FROM market_data m": "m",
    "SELECT symbol FROM market_data a JOIN trading_positions b ON a.exchange = b.trader_id": "a.symbol",
    "SELECT price, COUNT(*) AS n FROM market_data GROUP BY TUMBLE(timestamp, INTERVAL '5' SECOND)": "GROUP BY",
    "SELECT price AS a, volume AS a FROM market_data": "AS",
    "SELECT symbol, MINN(price) AS m FROM market_data GROUP BY symbol": "did you mean min",
    "SELECT symbol, ROUND(SUMM(volume)) AS m FROM market_data GROUP BY symbol": "did you mean sum",
}

MISTYPED = [
    "SELECT symbol + 1 AS x FROM market_data",
    "SELECT no_such_function(price) AS x FROM market_data",
    "SELECT SUM(symbol) AS s, window_end FROM market_data GROUP BY TUMBLE(timestamp, INTERVAL '5' SECOND)",
    "SELECT LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp) + symbol AS b FROM market_data",
]


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_with_a_rewrite(query):
    what, instead = REFUSED[query]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(query, TABLES)
    assert what.lower() in caught.value.message.lower()
    assert instead.lower() in (caught.value.hint or "").lower()


@pytest.mark.parametrize("query", UNKNOWN)
def test_unknown_and_ambiguous_names_get_near_names(query):
    with pytest.raises(SqlError) as caught:
        plan_of(query, TABLES)
    assert UNKNOWN[query] in (caught.value.hint or "")
    assert caught.value.place is not None


@pytest.mark.parametrize("query", MISTYPED)
def test_duckdb_certifies_before_the_first_row(query):
    with pytest.raises(BindError) as caught:
        JobEngine(plan_of(query, TABLES)).close()
    assert "__" not in caught.value.message.replace("__in", "")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT read_text('README.md') AS x, symbol FROM market_data",
        "SELECT symbol FROM market_data m JOIN read_csv('README.md') f ON m.symbol = f.x",
        "SELECT getenv('HOME') AS x FROM market_data",
    ],
)
def test_sql_cannot_read_the_machine(query):
    with pytest.raises(SqlError):
        JobEngine(plan_of(query, TABLES)).close()
