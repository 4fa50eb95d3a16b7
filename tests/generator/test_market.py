from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import pytest
from velostream_generator import DEFAULT_SYMBOLS, MarketConfig, Simulator, Symbol
from velostream_generator.config import TRADING_SECONDS_PER_YEAR

Simulate = Callable[[MarketConfig, int], Simulator]
CALM = MarketConfig(scenario="calm", seed=3)


def minute_returns(duck: duckdb.DuckDBPyConnection) -> dict[str, np.ndarray]:
    rows = duck.sql("""
        SELECT symbol, list(last ORDER BY minute) FROM (
            SELECT symbol, time_bucket(INTERVAL 1 MINUTE, timestamp, TIMESTAMP '1970-01-01') AS minute,
                   arg_max(price, timestamp) AS last
            FROM market_data WHERE exchange = 'NYSE' GROUP BY ALL)
        GROUP BY symbol
    """).fetchall()
    return {symbol: np.diff(np.log(prices)) for symbol, prices in rows}


def test_prices_move_with_the_volatility_that_was_asked_for(
    simulate: Simulate, duck: duckdb.DuckDBPyConnection
) -> None:
    simulate(CALM, 8 * 3_600)
    returns = minute_returns(duck)
    for symbol in DEFAULT_SYMBOLS:
        annual = returns[symbol.name].std() * np.sqrt(TRADING_SECONDS_PER_YEAR / 60)
        # 480 minutes know a standard deviation to 3.2 %; three of those
        assert annual == pytest.approx(symbol.volatility, rel=0.10), symbol.name


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8])
def test_symbols_move_together_as_much_as_asked_for(
    simulate: Simulate, duck: duckdb.DuckDBPyConnection, correlation: float
) -> None:
    simulate(MarketConfig(scenario="calm", correlation=correlation), 4 * 3_600)
    matrix = np.corrcoef(list(minute_returns(duck).values()))
    pairs = matrix[np.triu_indices_from(matrix, 1)]
    assert pairs.mean() == pytest.approx(correlation, abs=0.08)


def test_every_symbol_is_quoted_on_every_exchange_in_every_interval(
    simulate: Simulate, duck: duckdb.DuckDBPyConnection
) -> None:
    simulate(CALM, 600)
    assert (
        duck.sql("""
        SELECT symbol, exchange, date_trunc('second', timestamp), count(*) FROM market_data
        GROUP BY ALL HAVING count(*) != 1
    """).fetchall()
        == []
    )
    assert duck.sql("SELECT count(*) FROM market_data").fetchall() == [(600 * 8 * 3,)]
    shared = "SELECT 1 FROM market_data GROUP BY symbol, timestamp HAVING count(DISTINCT exchange) > 1"
    assert duck.sql(shared).fetchall() == [], "two exchanges quoted a symbol in the same millisecond"


def test_quotes_are_in_cents_with_the_price_inside_the_spread(
    simulate: Simulate, duck: duckdb.DuckDBPyConnection
) -> None:
    simulate(MarketConfig(scenario="volatility"), 3_600)
    assert (
        duck.sql("""
        SELECT * FROM market_data
        WHERE NOT (0 < bid_price AND bid_price < price AND price < ask_price)
           OR price != round(price, 2) OR bid_price != round(bid_price, 2) OR ask_price != round(ask_price, 2)
           OR bid_size <= 0 OR ask_size <= 0 OR volume <= 0
    """).fetchall()
        == []
    )


def test_spreads_widen_with_volatility(simulate: Simulate, duck: duckdb.DuckDBPyConnection) -> None:
    simulator = simulate(MarketConfig(scenario="volatility"), 1_200)
    jump = simulator.episodes()[0]
    spread = f"SELECT avg((ask_price - bid_price) / price) * 1e4 FROM market_data WHERE symbol = '{jump.symbol}' AND "
    [(before,)] = duck.sql(f"{spread} epoch_ms(timestamp) < {jump.start_ms}").fetchall()
    [(after,)] = duck.sql(
        f"{spread} epoch_ms(timestamp) BETWEEN {jump.start_ms} + 1000 AND {jump.start_ms} + 11000"
    ).fetchall()
    assert after > 4 * before
    [(tsla, aapl)] = duck.sql("""
        SELECT median((ask_price - bid_price) / price) FILTER (symbol = 'TSLA'),
               median((ask_price - bid_price) / price) FILTER (symbol = 'AAPL') FROM market_data
    """).fetchall()
    assert tsla > aapl


def test_one_volume_in_twenty_is_a_spike(simulate: Simulate, duck: duckdb.DuckDBPyConnection) -> None:
    simulate(CALM, 3_600)
    [(share, largest)] = duck.sql("""
        SELECT avg((volume / usual > 2.2)::INT), max(volume / usual)
        FROM (SELECT *, median(volume) OVER (PARTITION BY symbol, exchange) AS usual FROM market_data)
    """).fetchall()
    # 86,400 quotes: five standard deviations of a 5 % coin are 0.0037
    assert share == pytest.approx(0.05, abs=0.004)
    assert 9 < largest < 20


def test_a_minute_of_orders_is_more_than_ten_thousand_shares(
    simulate: Simulate, duck: duckdb.DuckDBPyConnection
) -> None:
    simulate(CALM, 3_600)
    [(fewest, least, most)] = duck.sql("""
        SELECT min(orders), min(shares), max(shares) FROM (
            SELECT count(*) AS orders, sum(quantity) AS shares FROM order_book_updates
            GROUP BY symbol, time_bucket(INTERVAL 1 MINUTE, timestamp, TIMESTAMP '1970-01-01'))
    """).fetchall()
    assert fewest >= 30 * 3
    assert least > 10_000
    assert most < 30_000


def test_orders_come_three_to_ten_per_symbol_and_interval(simulate: Simulate, duck: duckdb.DuckDBPyConnection) -> None:
    simulate(CALM, 600)
    counts = duck.sql("""
        SELECT DISTINCT count(*) AS n FROM order_book_updates
        GROUP BY symbol, time_bucket(INTERVAL 2 SECOND, timestamp, TIMESTAMP '1970-01-01') ORDER BY n
    """).fetchall()
    assert [count for (count,) in counts] == list(range(3, 11))
    [(market_share,)] = duck.sql("SELECT avg((order_type = 'MARKET')::INT) FROM order_book_updates").fetchall()
    assert market_share == pytest.approx(0.2, abs=0.02)


def test_order_flow_has_regimes(simulate: Simulate, duck: duckdb.DuckDBPyConnection) -> None:
    simulate(CALM, 2 * 3_600)
    series = duck.sql("""
        SELECT list(buying ORDER BY slice) FROM (
            SELECT symbol, time_bucket(INTERVAL 10 SECOND, timestamp, TIMESTAMP '1970-01-01') AS slice,
                   avg((side = 'BUY')::INT) AS buying FROM order_book_updates GROUP BY ALL)
        GROUP BY symbol
    """).fetchall()
    lagged = [np.corrcoef(buying[:-1], buying[1:])[0, 1] for (buying,) in series]
    assert min(lagged) > 0.1, "buying in one slice says something about the next: it is not a coin"


def test_a_users_own_market() -> None:
    config = MarketConfig(
        symbols=(Symbol("BRK.B", 99_000.0, 0.2), Symbol('Ü"1', 1.0, 3.0)), exchanges=("XETRA",), traders=1
    )
    rows = Simulator(config).step(120_000)
    assert set(rows["market_data"].column("symbol").to_pylist()) == {"BRK.B", 'Ü"1'}
    assert set(rows["trading_positions"].column("trader_id").to_pylist()) == {"TRADER_001"}
    assert min(rows["market_data"].column("bid_price").to_pylist()) > 0
    assert 0 not in rows["trading_positions"].column("position_size").to_pylist()
