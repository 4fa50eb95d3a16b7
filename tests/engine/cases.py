"""Queries and their batch answers, written by hand: what the engine streams must equal what DuckDB answers.

In an oracle `__pos` breaks ties in event time, as the engine does; everything else is the query as DuckDB has it.
"""

from __future__ import annotations

_TUMBLE = "time_bucket(INTERVAL 7 SECOND, timestamp, TIMESTAMP '1970-01-01')"
_HOPS = """(SELECT *, unnest(range((__ts // 2000000) * 2000000 - 8000000, __ts + 2000000, 2000000)) AS s,
            s + 7000000 AS e FROM market_data)"""
_QUOTES = "(SELECT * FROM market_data QUALIFY row_number() OVER (PARTITION BY symbol, __ts ORDER BY __pos DESC) = 1)"
_NEAR = (
    "a.symbol = b.symbol AND a.exchange <> b.exchange AND "
    "b.timestamp BETWEEN a.timestamp - INTERVAL '1' SECOND AND a.timestamp"
)


def _same(query: str) -> tuple[str, str]:
    return query, query


CASES: dict[str, tuple[str, str]] = {
    "filter and project": _same(
        "SELECT symbol, price * 2 AS p, upper(exchange) AS e FROM market_data WHERE price > 100"
    ),
    "star with exclude": (
        "SELECT * EXCLUDE (bid_price, ask_price), 1 AS one FROM market_data",
        "SELECT * EXCLUDE (bid_price, ask_price, __ts, __pos), 1 AS one FROM market_data",
    ),
    "lag": (
        "SELECT symbol, price, LAG(price) OVER (PARTITION BY symbol, exchange ORDER BY timestamp) AS before "
        "FROM market_data",
        "SELECT symbol, price, LAG(price) OVER (PARTITION BY symbol, exchange ORDER BY __ts, __pos) AS before "
        "FROM market_data",
    ),
    "lag with offset and default": (
        "SELECT LAG(price, 3, -1.0) OVER (PARTITION BY symbol ORDER BY timestamp) AS before, volume FROM market_data",
        "SELECT LAG(price, 3, -1.0) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS before, volume FROM market_data",
    ),
    "average of the rows before": (
        "SELECT symbol, volume, AVG(volume) OVER w AS a FROM market_data QUALIFY volume > 3 * a "
        "WINDOW w AS (PARTITION BY symbol ORDER BY timestamp ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)",
        "SELECT symbol, volume, AVG(volume) OVER w AS a FROM market_data "
        "WINDOW w AS (PARTITION BY symbol ORDER BY __ts, __pos ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) "
        "QUALIFY volume > 3 * a",
    ),
    "window function in WHERE filters afterwards": (
        "SELECT symbol, price FROM market_data "
        "WHERE volume > 100 AND price > LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp)",
        "SELECT symbol, price FROM market_data "
        "QUALIFY volume > 100 AND price > LAG(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos)",
    ),
    "WHERE that names a window function filters afterwards": (
        "SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS move FROM market_data "
        "WHERE move > 1 AND volume < 1000",
        "SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS move FROM market_data "
        "QUALIFY move > 1 AND volume < 1000",
    ),
    "frames over two partitionings, after a filter": (
        "SELECT SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp ROWS 3 PRECEDING) AS s, "
        "MAX(price) OVER (PARTITION BY exchange ORDER BY timestamp ROWS 5 PRECEDING) AS m FROM market_data "
        "WHERE volume < 1000",
        "SELECT SUM(volume) OVER (PARTITION BY symbol ORDER BY __ts, __pos ROWS 3 PRECEDING) AS s, "
        "MAX(price) OVER (PARTITION BY exchange ORDER BY __ts, __pos ROWS 5 PRECEDING) AS m FROM market_data "
        "WHERE volume < 1000",
    ),
    "filter by the name of a SELECT item, before the windows": (
        "SELECT price * 2 AS doubled, LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS b FROM market_data "
        "WHERE doubled > 200",
        "SELECT price * 2 AS doubled, LAG(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS b FROM market_data "
        "WHERE price * 2 > 200",
    ),
    "partition by an expression": (
        "SELECT price, LAG(price) OVER (PARTITION BY length(symbol) ORDER BY timestamp) AS b FROM market_data",
        "SELECT price, LAG(price) OVER (PARTITION BY length(symbol) ORDER BY __ts, __pos) AS b FROM market_data",
    ),
    "range over time": _same(
        "SELECT symbol, SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp "
        "RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW) AS s, COUNT(*) OVER (ORDER BY timestamp "
        "RANGE BETWEEN INTERVAL 1 SECOND PRECEDING AND CURRENT ROW) AS c FROM market_data"
    ),
    "running totals, peers share": _same(
        "SELECT symbol, SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp) AS s, "
        "STDDEV(price) OVER (PARTITION BY exchange ORDER BY timestamp) AS sd, MAX(price) OVER (ORDER BY timestamp) AS m "
        "FROM market_data"
    ),
    "running by row": (
        "SELECT symbol, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp) AS n, "
        "COUNT(price) OVER (PARTITION BY symbol ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS c FROM market_data",
        "SELECT symbol, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS n, "
        "COUNT(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos ROWS UNBOUNDED PRECEDING) AS c FROM market_data",
    ),
    "total without order runs": (
        "SELECT symbol, SUM(volume) OVER (PARTITION BY symbol) AS s FROM market_data",
        "SELECT symbol, SUM(volume) OVER (PARTITION BY symbol ORDER BY __ts, __pos ROWS UNBOUNDED PRECEDING) AS s "
        "FROM market_data",
    ),
    "first row per key": (
        "SELECT symbol, price, volume FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp) = 1",
        "SELECT symbol, price, volume FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY __ts, __pos) = 1",
    ),
    "latest row per key": (
        "SELECT symbol, exchange, price FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol, exchange ORDER BY timestamp DESC) = 1",
        "SELECT symbol, exchange, price FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol, exchange ORDER BY __ts DESC, __pos DESC) = 1",
    ),
    "tumble": (
        "SELECT symbol, window_start, window_end, SUM(volume) AS v, COUNT(*) AS n, AVG(price) AS p, MEDIAN(price) AS m, "
        "COUNT(DISTINCT exchange) AS d, ARG_MAX(exchange, price) AS a, STDDEV(price) AS sd "
        "FROM market_data GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND)",
        f"SELECT symbol, {_TUMBLE} AS window_start, {_TUMBLE} + INTERVAL 7 SECOND AS window_end, SUM(volume) AS v, "
        "COUNT(*) AS n, AVG(price) AS p, MEDIAN(price) AS m, COUNT(DISTINCT exchange) AS d, "
        "ARG_MAX(exchange, price) AS a, STDDEV(price) AS sd FROM market_data GROUP BY ALL",
    ),
    "tumble as a table function, HAVING, FILTER": (
        "SELECT window_end, exchange, SUM(volume) FILTER (WHERE price > 100) AS v FROM TABLE(TUMBLE(TABLE market_data, "
        "DESCRIPTOR(timestamp), INTERVAL '7' SECOND)) GROUP BY window_start, window_end, exchange HAVING COUNT(*) > 2",
        f"SELECT {_TUMBLE} + INTERVAL 7 SECOND AS window_end, exchange, SUM(volume) FILTER (WHERE price > 100) AS v "
        "FROM market_data GROUP BY 1, 2 HAVING COUNT(*) > 2",
    ),
    "tumble by time_bucket, without other keys": (
        "SELECT time_bucket(INTERVAL '7 seconds', timestamp) AS t, MAX(price) - MIN(price) AS spread "
        "FROM market_data GROUP BY 1",
        f"SELECT {_TUMBLE} AS t, MAX(price) - MIN(price) AS spread FROM market_data GROUP BY 1",
    ),
    "window clause": (
        "SELECT exchange, COUNT(*) AS n FROM market_data GROUP BY exchange WINDOW TUMBLING(timestamp, 7s) "
        "HAVING COUNT(*) > 1",
        f"SELECT exchange, COUNT(*) AS n FROM market_data GROUP BY exchange, {_TUMBLE} HAVING COUNT(*) > 1",
    ),
    "aggregate whose state cannot be exported": (
        "SELECT symbol, window_start, MODE(exchange) AS m, HISTOGRAM(exchange) AS h FROM market_data "
        "WHERE exchange = 'NYSE' GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND)",
        f"SELECT symbol, {_TUMBLE} AS window_start, MODE(exchange) AS m, HISTOGRAM(exchange) AS h FROM market_data "
        "WHERE exchange = 'NYSE' GROUP BY 1, 2",
    ),
    "hop": (
        "SELECT symbol, window_end, SUM(volume) AS v, COUNT(*) AS n FROM market_data "
        "GROUP BY symbol, HOP(timestamp, INTERVAL '2' SECOND, INTERVAL '7' SECOND)",
        f"SELECT symbol, make_timestamp(e) AS window_end, SUM(volume) AS v, COUNT(*) AS n FROM {_HOPS} "
        "WHERE s <= __ts AND e > __ts GROUP BY ALL",
    ),
    "trailing minute by stream time": (
        "SELECT symbol, COUNT(*) AS n FROM market_data WHERE timestamp >= timestamp() - INTERVAL '7' SECOND "
        "GROUP BY symbol HAVING COUNT(*) > 3 WITH ('emit.every' = '2s')",
        f"SELECT symbol, COUNT(*) AS n FROM {_HOPS} WHERE s <= __ts AND e > __ts GROUP BY symbol, e HAVING n > 3",
    ),
    "interval join": tuple(
        [
            f"SELECT a.symbol, a.exchange AS x, b.exchange AS y, a.price, b.price AS q FROM market_data a JOIN market_data b "
            f"ON {_NEAR} WHERE a.price > b.price"
        ]
        * 2
    ),
    "interval join, bound by a difference in milliseconds": _same(
        "SELECT o.side, p.trader_id, o.quantity FROM order_book_updates o JOIN trading_positions p USING (symbol) "
        "WHERE abs(epoch_ms(o.timestamp) - epoch_ms(p.timestamp)) <= 1500"
    ),
    "join without a time bound": (
        "SELECT a.exchange AS x, b.exchange AS y, symbol FROM market_data a JOIN market_data b "
        "ON a.symbol = b.symbol AND a.exchange != b.exchange WHERE a.bid_price > b.ask_price",
        "SELECT a.exchange AS x, b.exchange AS y, a.symbol FROM market_data a JOIN market_data b "
        "ON a.symbol = b.symbol AND a.exchange != b.exchange AND abs(a.__ts - b.__ts) <= 1000000 "
        "WHERE a.bid_price > b.ask_price",
    ),
    "totals over a join": (
        "SELECT trader_id, p.symbol, price, SUM(position_size) OVER (PARTITION BY trader_id) AS total "
        "FROM trading_positions p JOIN market_data m ON p.symbol = m.symbol",
        "SELECT trader_id, p.symbol, price, SUM(position_size) OVER (PARTITION BY trader_id "
        "ORDER BY greatest(p.__ts, m.__ts), p.__pos, m.__pos ROWS UNBOUNDED PRECEDING) AS total FROM trading_positions p "
        "JOIN market_data m ON p.symbol = m.symbol AND abs(p.__ts - m.__ts) <= 1000000",
    ),
    **{
        f"asof {side.lower() or 'inner'} {op}": (
            f"SELECT p.trader_id, p.symbol, p.position_size, m.price, m.exchange, m.timestamp AS quoted "
            f"FROM trading_positions p ASOF {side} JOIN market_data m ON p.symbol = m.symbol AND p.timestamp {op} m.timestamp",
            f"SELECT p.trader_id, p.symbol, p.position_size, m.price, m.exchange, m.timestamp AS quoted "
            f"FROM trading_positions p ASOF {side} JOIN {_QUOTES} m ON p.symbol = m.symbol AND p.timestamp {op} m.timestamp",
        )
        for side in ("", "LEFT")
        for op in (">=", ">")
    },
    "join with constants": _same(
        "SELECT m.symbol, m.price * f.rate AS converted, f.currency FROM market_data m "
        "JOIN (VALUES ('NYSE', 'EUR', 0.9), ('BATS', 'GBP', 0.8)) AS f(exchange, currency, rate) "
        "ON m.exchange = f.exchange"
    ),
    "rows that several constants match stay apart": (
        "SELECT m.symbol, f.level, m.price - LAG(m.price) OVER (PARTITION BY m.symbol ORDER BY m.timestamp) AS move "
        "FROM market_data m LEFT JOIN (VALUES (99), (100), (101)) AS f(level) ON m.price > f.level",
        "SELECT m.symbol, f.level, m.price - LAG(m.price) OVER (PARTITION BY m.symbol ORDER BY m.__ts, m.__pos, f.level) "
        "AS move FROM market_data m LEFT JOIN (VALUES (99), (100), (101)) AS f(level) ON m.price > f.level",
    ),
    "chain of CTEs": (
        "WITH moves AS (SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS move, timestamp "
        "FROM market_data WHERE price IS NOT NULL), big AS (SELECT * FROM moves WHERE abs(move) > 1) "
        "SELECT symbol, window_end, COUNT(*) AS n, SUM(move) AS m FROM big "
        "GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND)",
        "WITH moves AS (SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS move, timestamp "
        "FROM market_data WHERE price IS NOT NULL), big AS (SELECT * FROM moves WHERE abs(move) > 1) "
        f"SELECT symbol, {_TUMBLE} + INTERVAL 7 SECOND AS window_end, COUNT(*) AS n, SUM(move) AS m FROM big GROUP BY 1, 2",
    ),
    "window over windows": (
        "WITH bars AS (SELECT symbol, window_start AS bar, SUM(volume) AS v FROM market_data "
        "GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND)) "
        "SELECT symbol, bar, v - LAG(v) OVER (PARTITION BY symbol ORDER BY bar) AS change FROM bars",
        f"WITH bars AS (SELECT symbol, {_TUMBLE} AS bar, SUM(volume) AS v FROM market_data GROUP BY 1, 2) "
        "SELECT symbol, bar, v - LAG(v) OVER (PARTITION BY symbol ORDER BY bar) AS change FROM bars",
    ),
}
