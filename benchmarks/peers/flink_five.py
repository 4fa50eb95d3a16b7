"""The five trading jobs in Flink SQL: event time, JSON lines from and to the file system, one local task manager.

Needs Java 11 or 17. Run by `BENCH_PEERS=flink python -m benchmarks`; by hand, with the packages of flink.txt:

    python flink_five.py '{"sources": {"market_data": "day/market_data.jsonl", ...}, "out": "."}'

Differences from the SQL: an OVER frame must end at the current row, so the row is taken out of the sum of 21 by hand; the
as-of join is one with a versioned view; LAG does not order ties. Linux only: elsewhere the Java machine's CPU is not
found. Rows are in order of time, and the watermark says so.
"""

import json
import os
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment

IN_ORDER = (
    "ts AS TO_TIMESTAMP_LTZ(`timestamp`, 3), WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND"  # ties are not late
)
COLUMNS = {
    "market_data": "symbol STRING, exchange STRING, price DOUBLE, bid_price DOUBLE, ask_price DOUBLE, bid_size BIGINT, "
    "ask_size BIGINT, volume BIGINT, `timestamp` BIGINT",
    "order_book_updates": "symbol STRING, side STRING, quantity BIGINT, `timestamp` BIGINT",
    "trading_positions": "trader_id STRING, symbol STRING, position_size BIGINT, current_pnl DOUBLE, `timestamp` BIGINT",
}
LATEST = """
CREATE VIEW latest_price AS SELECT symbol, price, ts FROM (
  SELECT symbol, price, ts, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY ts DESC) AS n FROM market_data)
WHERE n = 1"""
ANSWERS = {
    "price_alerts": (
        "symbol STRING, exchange STRING, price DOUBLE, prev_price DOUBLE, price_change_pct DOUBLE, volume BIGINT, "
        "detection_time BIGINT",
        """
SELECT symbol, exchange, price, prev_price, ROUND((price - prev_price) / prev_price * 100, 2), volume, `timestamp` FROM (
  SELECT symbol, exchange, price, volume, `timestamp`,
         LAG(price) OVER (PARTITION BY symbol, exchange ORDER BY ts) AS prev_price FROM market_data)
WHERE ABS((price - prev_price) / prev_price * 100) > 5""",
    ),
    "volume_spikes": (
        "symbol STRING, exchange STRING, price DOUBLE, volume BIGINT, avg_volume_20 DOUBLE, volume_ratio DOUBLE, "
        "detection_time BIGINT",
        """
SELECT symbol, exchange, price, volume, usual, ROUND(volume / usual, 2), `timestamp` FROM (
  SELECT symbol, exchange, price, volume, `timestamp`, n, (total - volume) / 20.0E0 AS usual FROM (
    SELECT symbol, exchange, price, volume, `timestamp`, SUM(volume) OVER w AS total, COUNT(volume) OVER w AS n
    FROM market_data
    WINDOW w AS (PARTITION BY symbol, exchange ORDER BY ts ROWS BETWEEN 20 PRECEDING AND CURRENT ROW)))
WHERE n = 21 AND volume > 3 * usual""",
    ),
    "risk_alerts": (
        "trader_id STRING, symbol STRING, position_size BIGINT, price DOUBLE, position_value DOUBLE, current_pnl DOUBLE, "
        "total_pnl DOUBLE, alert_type STRING, detection_time BIGINT",
        """
SELECT trader_id, symbol, position_size, price, ROUND(position_value, 2), current_pnl, ROUND(total_pnl, 2),
       CASE WHEN position_value > 1000000 THEN 'POSITION_LIMIT_EXCEEDED'
            WHEN total_pnl < -50000 THEN 'DAILY_LOSS_LIMIT_EXCEEDED' ELSE 'POSITION_WARNING' END, `timestamp`
FROM (
  SELECT trader_id, symbol, position_size, price, position_value, current_pnl, `timestamp`,
         SUM(pnl_change) OVER (PARTITION BY trader_id ORDER BY ts RANGE UNBOUNDED PRECEDING) AS total_pnl
  FROM (
    SELECT p.trader_id, p.symbol, p.position_size, m.price, ABS(p.position_size * m.price) AS position_value,
           p.current_pnl, p.pnl_change, p.`timestamp`, p.ts
    FROM (
      SELECT *, current_pnl - COALESCE(LAG(current_pnl) OVER (PARTITION BY trader_id, symbol ORDER BY ts), 0)
                AS pnl_change FROM trading_positions) p
    LEFT JOIN latest_price FOR SYSTEM_TIME AS OF p.ts AS m ON p.symbol = m.symbol))
WHERE position_value > 500000 OR total_pnl < -50000""",
    ),
    "order_imbalance_alerts": (
        "symbol STRING, buy_volume BIGINT, sell_volume BIGINT, total_volume BIGINT, buy_ratio DOUBLE, "
        "window_start BIGINT, window_end BIGINT",
        """
SELECT symbol, buys, sells, total, ROUND(COALESCE(buys, 0) / CAST(total AS DOUBLE), 4),
       UNIX_TIMESTAMP(CAST(window_start AS STRING)) * 1000, UNIX_TIMESTAMP(CAST(window_end AS STRING)) * 1000
FROM (
  SELECT symbol, window_start, window_end, SUM(quantity) AS total,
         SUM(quantity) FILTER (WHERE side = 'BUY') AS buys, SUM(quantity) FILTER (WHERE side = 'SELL') AS sells
  FROM TABLE(HOP(TABLE order_book_updates, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '1' MINUTE))
  GROUP BY symbol, window_start, window_end)
WHERE total >= 10000 AND GREATEST(COALESCE(buys, 0), COALESCE(sells, 0)) > 0.7 * total""",
    ),
    "arbitrage_opportunities": (
        "symbol STRING, buy_exchange STRING, sell_exchange STRING, ask_price DOUBLE, bid_price DOUBLE, spread DOUBLE, "
        "spread_bps DOUBLE, available_volume BIGINT, potential_profit DOUBLE, detection_time BIGINT",
        """
SELECT b.symbol, b.exchange, s.exchange, b.ask_price, s.bid_price, ROUND(s.bid_price - b.ask_price, 4),
       ROUND((s.bid_price - b.ask_price) / b.ask_price * 1E4, 1), LEAST(b.ask_size, s.bid_size),
       ROUND((s.bid_price - b.ask_price) * LEAST(b.ask_size, s.bid_size), 2), GREATEST(b.`timestamp`, s.`timestamp`)
FROM market_data b JOIN market_data s
  ON b.symbol = s.symbol AND b.exchange <> s.exchange
 AND s.ts BETWEEN b.ts - INTERVAL '1' SECOND AND b.ts + INTERVAL '1' SECOND
WHERE (s.bid_price - b.ask_price) / b.ask_price * 1E4 >= 10""",
    ),
}
"""By output topic: its columns, and the query that fills them."""


def end_java() -> None:
    """End the Java machine and wait for it: only then does the system count its CPU and memory with this process's."""
    me = os.getpid()
    for pid in map(int, Path(f"/proc/{me}/task/{me}/children").read_text().split()):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def main() -> None:
    options = json.loads(sys.argv[1])
    env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    env.get_config().set("parallelism.default", "1")
    env.get_config().set("table.local-time-zone", "UTC")
    for topic, path in options["sources"].items():
        env.execute_sql(
            f"CREATE TABLE {topic} ({COLUMNS[topic]}, {IN_ORDER}) WITH ('connector' = 'filesystem', "
            f"'path' = 'file://{path}', 'format' = 'json')"
        )
    env.execute_sql(LATEST)
    with tempfile.TemporaryDirectory() as folder:
        statements = env.create_statement_set()
        for topic, (columns, query) in ANSWERS.items():
            env.execute_sql(
                f"CREATE TABLE out_{topic} ({columns}) WITH ('connector' = 'filesystem', "
                f"'path' = 'file://{folder}/{topic}', 'format' = 'json')"
            )
            statements.add_insert_sql(f"INSERT INTO out_{topic} {query}")
        statements.execute().wait()
        for topic in ANSWERS:
            parts = sorted(path for path in Path(folder, topic).rglob("*") if path.is_file())
            (Path(options["out"]) / f"{topic}.jsonl").write_bytes(b"".join(part.read_bytes() for part in parts))
    end_java()
    print(json.dumps({"versions": {"apache-flink": version("apache-flink")}}))


if __name__ == "__main__":
    main()
