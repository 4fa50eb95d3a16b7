from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pyarrow as pa
import pytest
from velostream_generator import MarketConfig, Simulator

# what the five jobs of the demo look for, in plain DuckDB; every query gives column `seen`, the alert's event time
ALERTS = {
    "price": """
        SELECT timestamp AS seen, symbol, exchange, price / prev - 1 AS change
        FROM (SELECT *, LAG(price) OVER (PARTITION BY symbol, exchange ORDER BY timestamp) AS prev FROM market_data)
        WHERE abs(price / prev - 1) > 0.05
    """,
    "volume": """
        SELECT timestamp AS seen, symbol, exchange, volume / average AS ratio
        FROM (SELECT *, avg(volume) OVER (PARTITION BY symbol, exchange ORDER BY timestamp
                                          ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS average FROM market_data)
        WHERE volume > 3 * average
    """,
    "imbalance": """
        SELECT bucket + INTERVAL 1 MINUTE AS seen, symbol, buys / total AS buying, total
        FROM (SELECT symbol, time_bucket(INTERVAL 1 MINUTE, timestamp, TIMESTAMP '1970-01-01') AS bucket,
                     sum(quantity) AS total, coalesce(sum(quantity) FILTER (side = 'BUY'), 0) AS buys
              FROM order_book_updates GROUP BY ALL)
        WHERE total >= 10000 AND greatest(buys, total - buys) / total > 0.7
    """,
    "arbitrage": """
        SELECT greatest(a.timestamp, b.timestamp) AS seen, a.symbol, a.exchange AS bids, b.exchange AS asks,
               (a.bid_price / b.ask_price - 1) * 1e4 AS bps
        FROM market_data a JOIN market_data b
          ON a.symbol = b.symbol AND a.exchange != b.exchange
         AND b.timestamp BETWEEN a.timestamp - INTERVAL 1 SECOND AND a.timestamp + INTERVAL 1 SECOND
        WHERE (a.bid_price / b.ask_price - 1) * 1e4 >= 10
    """,
    "risk": """
        WITH valued AS (
            SELECT p.timestamp AS seen, p.trader_id, p.symbol, abs(p.position_size * m.price) AS value
            FROM trading_positions p ASOF JOIN market_data m
              ON p.symbol = m.symbol AND p.timestamp >= m.timestamp),
        totals AS (  -- all rows of a trader share a timestamp, so each moment holds the latest row of each position
            SELECT trader_id, timestamp AS seen, sum(current_pnl) AS pnl FROM trading_positions GROUP BY ALL)
        SELECT seen, trader_id, symbol, value, pnl,
               CASE WHEN value > 1000000 THEN 'POSITION_LIMIT_EXCEEDED'
                    WHEN pnl < -50000 THEN 'DAILY_LOSS_LIMIT_EXCEEDED'
                    ELSE 'POSITION_WARNING' END AS kind
        FROM valued JOIN totals USING (seen, trader_id)
        WHERE value > 500000 OR pnl < -50000
    """,
}


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        yield connection


@pytest.fixture
def simulate(duck: duckdb.DuckDBPyConnection) -> Callable[[MarketConfig, int], Simulator]:
    """Run a market for so many seconds and register its topics in `duck`."""

    def run(config: MarketConfig, seconds: int) -> Simulator:
        simulator = Simulator(config)
        for topic, batch in simulator.step(seconds * 1_000).items():
            duck.register(topic, pa.Table.from_batches([batch]))
        return simulator

    return run


@pytest.fixture
def alerts(duck: duckdb.DuckDBPyConnection) -> Callable[..., dict[str, list[dict[str, object]]]]:
    """The alerts that the registered topics raise, per kind and by time."""

    def raise_alerts(*kinds: str) -> dict[str, list[dict[str, object]]]:
        return {
            kind: duck.sql(f"SELECT * FROM ({ALERTS[kind]}) ORDER BY ALL").to_arrow_table().to_pylist()
            for kind in kinds or ALERTS
        }

    return raise_alerts
