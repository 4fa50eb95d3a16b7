"""The five trading jobs of `sql/financial_trading.sql`: their inputs, their outputs, and the same questions to DuckDB.

The batch queries give the same columns as the jobs, so that whole answers are compared, row by row. Where their text
differs from the jobs':

- ties in event time are broken by the record's number `n`, which the engine does by itself;
- the hop is spelled out as the six windows that hold a row, for want of a HOP in DuckDB;
- the join's time bound is an equality of 2 s buckets first, or DuckDB would compare everything with everything;
- the as-of join takes the last quote of each millisecond first: DuckDB's ASOF takes any of those that tie.
"""

from __future__ import annotations

ROWS = {"market_data": 2_000_000, "order_book_updates": 1_000_000, "trading_positions": 200_000}
"""Input rows by topic at scale 1."""

COLUMNS = {
    "market_data": {
        "symbol": "VARCHAR", "exchange": "VARCHAR", "price": "DOUBLE", "bid_price": "DOUBLE", "ask_price": "DOUBLE",
        "bid_size": "BIGINT", "ask_size": "BIGINT", "volume": "BIGINT", "timestamp": "BIGINT",
    },
    "order_book_updates": {"symbol": "VARCHAR", "side": "VARCHAR", "quantity": "BIGINT", "timestamp": "BIGINT"},
    "trading_positions": {
        "trader_id": "VARCHAR", "symbol": "VARCHAR", "position_size": "BIGINT", "current_pnl": "DOUBLE",
        "timestamp": "BIGINT",
    },
}  # fmt: skip
"""What the jobs read of each topic, with DuckDB's types in JSON: times are epoch milliseconds there."""

OUTPUTS = {
    "price_alerts": {
        "symbol": "VARCHAR", "exchange": "VARCHAR", "price": "DOUBLE", "prev_price": "DOUBLE",
        "price_change_pct": "DOUBLE", "volume": "BIGINT", "detection_time": "TIMESTAMP",
    },
    "volume_spikes": {
        "symbol": "VARCHAR", "exchange": "VARCHAR", "price": "DOUBLE", "volume": "BIGINT", "avg_volume_20": "DOUBLE",
        "volume_ratio": "DOUBLE", "detection_time": "TIMESTAMP",
    },
    "risk_alerts": {
        "trader_id": "VARCHAR", "symbol": "VARCHAR", "position_size": "BIGINT", "price": "DOUBLE",
        "position_value": "DOUBLE", "current_pnl": "DOUBLE", "total_pnl": "DOUBLE", "alert_type": "VARCHAR",
        "detection_time": "TIMESTAMP",
    },
    "order_imbalance_alerts": {
        "symbol": "VARCHAR", "buy_volume": "BIGINT", "sell_volume": "BIGINT", "total_volume": "BIGINT",
        "buy_ratio": "DOUBLE", "window_start": "TIMESTAMP", "window_end": "TIMESTAMP",
    },
    "arbitrage_opportunities": {
        "symbol": "VARCHAR", "buy_exchange": "VARCHAR", "sell_exchange": "VARCHAR", "ask_price": "DOUBLE",
        "bid_price": "DOUBLE", "spread": "DOUBLE", "spread_bps": "DOUBLE", "available_volume": "BIGINT",
        "potential_profit": "DOUBLE", "detection_time": "TIMESTAMP",
    },
}  # fmt: skip
"""Columns of the answers by output topic; times are epoch milliseconds in JSON."""

BATCH = {
    "price_alerts": """
        SELECT symbol, exchange, price, LAG(price) OVER feed AS prev_price,
               ROUND((price - prev_price) / prev_price * 100, 2) AS price_change_pct, volume, timestamp AS detection_time
        FROM market_data
        WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp, n)
        QUALIFY ABS((price - prev_price) / prev_price * 100) > 5""",
    "volume_spikes": """
        SELECT symbol, exchange, price, volume, AVG(volume) OVER last_20 AS avg_volume_20,
               ROUND(volume / avg_volume_20, 2) AS volume_ratio, timestamp AS detection_time
        FROM market_data
        WINDOW last_20 AS (PARTITION BY symbol, exchange ORDER BY timestamp, n ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
        QUALIFY volume > 3 * avg_volume_20 AND COUNT(volume) OVER last_20 = 20""",
    "risk_alerts": """
        WITH quotes AS (SELECT symbol, timestamp, arg_max(price, n) AS price FROM market_data GROUP BY ALL),
        valued AS (
            SELECT p.*, m.price, ABS(p.position_size * m.price) AS position_value,
                   COALESCE(p.current_pnl, 0) - COALESCE(LAG(p.current_pnl) OVER (
                       PARTITION BY p.trader_id, p.symbol ORDER BY p.timestamp, p.n), 0) AS pnl_change
            FROM trading_positions p
            ASOF LEFT JOIN quotes m ON p.symbol = m.symbol AND p.timestamp >= m.timestamp),
        totals AS (SELECT *, SUM(pnl_change) OVER (PARTITION BY trader_id ORDER BY timestamp) AS total_pnl FROM valued)
        SELECT trader_id, symbol, position_size, price, ROUND(totals.position_value, 2) AS position_value, current_pnl,
               ROUND(totals.total_pnl, 2) AS total_pnl,
               CASE WHEN totals.position_value > 1000000 THEN 'POSITION_LIMIT_EXCEEDED'
                    WHEN totals.total_pnl < -50000 THEN 'DAILY_LOSS_LIMIT_EXCEEDED'
                    ELSE 'POSITION_WARNING' END AS alert_type,
               timestamp AS detection_time
        FROM totals WHERE totals.position_value > 500000 OR totals.total_pnl < -50000""",
    "order_imbalance_alerts": """
        SELECT symbol, SUM(quantity) FILTER (WHERE side = 'BUY') AS buy_volume,
               SUM(quantity) FILTER (WHERE side = 'SELL') AS sell_volume, SUM(quantity) AS total_volume,
               ROUND(COALESCE(buy_volume, 0) / total_volume, 4) AS buy_ratio,
               make_timestamp(e - 60000000) AS window_start, make_timestamp(e) AS window_end
        FROM (SELECT symbol, side, quantity,
                     (epoch_us(timestamp) // 10000000 + unnest([1, 2, 3, 4, 5, 6])) * 10000000 AS e
              FROM order_book_updates)
        GROUP BY symbol, e
        HAVING total_volume >= 10000
           AND GREATEST(COALESCE(buy_volume, 0), COALESCE(sell_volume, 0)) > 0.7 * total_volume""",
    "arbitrage_opportunities": """
        SELECT b.symbol, b.exchange AS buy_exchange, s.exchange AS sell_exchange, b.ask_price, s.bid_price,
               ROUND(s.bid_price - b.ask_price, 4) AS spread,
               ROUND((s.bid_price - b.ask_price) / b.ask_price * 1e4, 1) AS spread_bps,
               LEAST(b.ask_size, s.bid_size) AS available_volume,
               ROUND((s.bid_price - b.ask_price) * available_volume, 2) AS potential_profit,
               GREATEST(b.timestamp, s.timestamp) AS detection_time
        FROM (SELECT *, unnest(range((epoch_us(timestamp) - 1000000) // 2000000,
                                     (epoch_us(timestamp) + 1000000) // 2000000 + 1)) AS bucket FROM market_data) b
        JOIN (SELECT *, epoch_us(timestamp) // 2000000 AS bucket FROM market_data) s
          ON b.symbol = s.symbol AND b.bucket = s.bucket AND b.exchange <> s.exchange
         AND s.timestamp BETWEEN b.timestamp - INTERVAL 1 SECOND AND b.timestamp + INTERVAL 1 SECOND
        WHERE (s.bid_price - b.ask_price) / b.ask_price * 1e4 >= 10""",
}  # fmt: skip
"""By output topic, the query over tables of the inputs, each with its record numbers in `n`."""


def as_written(topic: str) -> str:
    """The batch query with times as the jobs write them to JSON: epoch milliseconds."""
    times = [name for name, kind in OUTPUTS[topic].items() if kind == "TIMESTAMP"]
    turned = ", ".join(f"epoch_ms({name}) AS {name}" for name in times)
    return f"SELECT * REPLACE ({turned}) FROM ({BATCH[topic]})"
