"""Windows of every kind and spelling equal DuckDB in batch: batches, disorder, restarts, partitions."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, ORDERS, market, positions, table
from tests.engine.harness import assert_one_answer, batch, comparable, partitioned, plan_of, stream, stream_partitions
from velostream_nb.core.errors import BindError, UnsupportedError
from velostream_nb.engine.job import JobEngine

DELAY = {"watermark.delay": "2s"}
MINUTE = 60_000_000


def tables(seed: int = 3):
    rng = random.Random(seed)
    return {
        "m": market(rng, 110, disorder_us=2_000_000),
        "p": positions(rng, 50, disorder_us=2_000_000),
    }


def bucket(us: int, offset: int = 0, ts: str = "__ts") -> str:
    """The start of the tumbling window that holds a time."""
    return f"({ts} - ((({ts} - {offset}) % {us}) + {us}) % {us})"


T7 = bucket(7_000_000)
AT7 = f"make_timestamp({T7})"
END7 = f"make_timestamp({T7} + 7000000)"


def hops(size: int, slide: int, offset: int = 0, source: str = "m") -> str:
    """Rows once per hopping window, with its start ``s`` and end ``e`` in µs."""
    first = f"{bucket(slide, offset)} - {-(-size // slide) * slide}"
    return (
        f"(SELECT *, s + {size} AS e FROM (SELECT *, unnest(range({first}, __ts + 1, {slide})) AS s FROM {source}) "
        f"WHERE s <= __ts AND s + {size} > __ts)"
    )


def cumulated(size: int, step: int, offset: int = 0, source: str = "m") -> str:
    base = bucket(size, offset)
    return (
        f"(SELECT * FROM (SELECT *, {base} AS s, unnest(range({base} + {step}, {base} + {size} + 1, {step})) AS e "
        f"FROM {source}) WHERE e > __ts)"
    )


def sessions(gap: int, *keys: str, source: str = "m") -> str:
    """Rows with the number ``n`` of their session among those of its keys."""
    by = f"PARTITION BY {', '.join(keys)} " if keys else ""
    return (
        f"(SELECT *, sum(f) OVER ({by}ORDER BY __ts RANGE UNBOUNDED PRECEDING) AS n FROM (SELECT *, "
        f"CASE WHEN __ts - lag(__ts) OVER ({by}ORDER BY __ts) <= {gap} THEN 0 ELSE 1 END AS f FROM {source}))"
    )


SPAN = "make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 3000000) AS window_end"
ORDER = "ORDER BY __ts, __pos"

CASES: dict[str, tuple[str, str]] = {
    "tumble with an offset": (
        "SELECT symbol, window_start, window_end, SUM(volume) AS v FROM m GROUP BY symbol, TUMBLE(timestamp, 7s, 2s)",
        f"SELECT symbol, make_timestamp(s) AS window_start, make_timestamp(s + 7000000) AS window_end, SUM(volume) AS v "
        f"FROM (SELECT *, {bucket(7_000_000, 2_000_000)} AS s FROM m) GROUP BY symbol, s",
    ),
    "tumble, named arguments, a negative offset": (
        "SELECT exchange, window_start, COUNT(*) AS n FROM TABLE(TUMBLE(DATA => TABLE m, TIMECOL => "
        "DESCRIPTOR(timestamp), SIZE => INTERVAL '7' SECOND, OFFSET => INTERVAL '-1' SECOND)) "
        "GROUP BY window_start, window_end, exchange",
        f"SELECT exchange, make_timestamp({bucket(7_000_000, -1_000_000)}) AS window_start, COUNT(*) AS n FROM m "
        "GROUP BY ALL",
    ),
    "Flink's auxiliary functions": (
        "SELECT TUMBLE_START(timestamp, INTERVAL '7' SECOND) AS a, TUMBLE_END(timestamp, INTERVAL '7' SECOND) AS b, "
        "MAX(price) AS p FROM m GROUP BY TUMBLE(timestamp, INTERVAL '7' SECOND)",
        f"SELECT {AT7} AS a, {END7} AS b, MAX(price) AS p FROM m GROUP BY 1, 2",
    ),
    "time_bucket with an origin": (
        "SELECT time_bucket(INTERVAL '7 seconds', timestamp, TIMESTAMP '2000-01-01 00:00:03') AS t, COUNT(*) AS n "
        "FROM m GROUP BY t",
        "SELECT time_bucket(INTERVAL '7 seconds', timestamp, TIMESTAMP '2000-01-01 00:00:03') AS t, COUNT(*) AS n "
        "FROM m GROUP BY t",
    ),
    "time_bucket with an offset": (
        "SELECT time_bucket(INTERVAL '10 seconds', timestamp, INTERVAL '3 seconds') AS t, COUNT(*) AS n FROM m GROUP BY 1",
        f"SELECT make_timestamp({bucket(10_000_000, 3_000_000)}) AS t, COUNT(*) AS n FROM m GROUP BY 1",
    ),
    "date_trunc, and a column of it in a CTE": (
        "WITH c AS (SELECT date_trunc('minute', timestamp) AS minute, price FROM m) "
        "SELECT minute, COUNT(price) AS n FROM c GROUP BY minute",
        "SELECT date_trunc('minute', timestamp) AS minute, COUNT(price) AS n FROM m GROUP BY 1",
    ),
    "a bucket without an origin is aligned to 1970 wherever it stands": (
        "WITH c AS (SELECT time_bucket(INTERVAL '7 seconds', timestamp) AS b, price FROM m) "
        "SELECT b, COUNT(price) AS n FROM c GROUP BY b",
        f"SELECT {AT7} AS b, COUNT(price) AS n FROM m GROUP BY 1",
    ),
    "the day": (
        "SELECT CAST(timestamp AS DATE) AS d, COUNT(*) AS n FROM m GROUP BY d",
        "SELECT CAST(timestamp AS DATE) AS d, COUNT(*) AS n FROM m GROUP BY d",
    ),
    "the week begins on Monday": (
        "SELECT date_trunc('week', timestamp) AS w, COUNT(*) AS n FROM m GROUP BY w",
        "SELECT date_trunc('week', timestamp) AS w, COUNT(*) AS n FROM m GROUP BY w",
    ),
    "hop with an offset": (
        "SELECT symbol, window_start, window_end, SUM(volume) AS v FROM TABLE(HOP(TABLE m, DESCRIPTOR(timestamp), "
        "INTERVAL '2' SECOND, INTERVAL '7' SECOND, INTERVAL '1' SECOND)) GROUP BY symbol, window_start, window_end",
        "SELECT symbol, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, SUM(volume) AS v "
        f"FROM {hops(7_000_000, 2_000_000, 1_000_000)} GROUP BY ALL",
    ),
    "cumulate": (
        "SELECT exchange, window_start, window_end, SUM(volume) AS v, AVG(price) AS a FROM TABLE(CUMULATE(TABLE m, "
        "DESCRIPTOR(timestamp), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY exchange, window_start, window_end",
        "SELECT exchange, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, SUM(volume) AS v, "
        f"AVG(price) AS a FROM {cumulated(10_000_000, 2_000_000)} GROUP BY exchange, s, e",
    ),
    "cumulate in GROUP BY, with an offset": (
        "SELECT window_start, window_end, COUNT(*) AS n FROM m GROUP BY CUMULATE(timestamp, 5s, 15s, 4s)",
        "SELECT make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, COUNT(*) AS n "
        f"FROM {cumulated(15_000_000, 5_000_000, 4_000_000)} GROUP BY s, e",
    ),
    "sessions per key": (
        "SELECT symbol, exchange, window_start, window_end, COUNT(*) AS n, SUM(volume) AS v, MEDIAN(price) AS m FROM m "
        "GROUP BY symbol, exchange, SESSION(timestamp, INTERVAL '3' SECOND)",
        f"SELECT symbol, exchange, {SPAN}, COUNT(*) AS n, SUM(volume) AS v, MEDIAN(price) AS m "
        f"FROM {sessions(3_000_000, 'symbol', 'exchange')} GROUP BY symbol, exchange, n",
    ),
    "sessions as a table function, partitioned": (
        "SELECT symbol, window_start, window_end, COUNT(*) AS n FROM TABLE(SESSION(TABLE m PARTITION BY symbol, "
        "DESCRIPTOR(timestamp), INTERVAL '3' SECOND)) GROUP BY symbol, window_start, window_end",
        f"SELECT symbol, {SPAN}, COUNT(*) AS n FROM {sessions(3_000_000, 'symbol')} GROUP BY symbol, n",
    ),
    "sessions of everything, with rows kept": (
        "SELECT window_start, window_end, LIST(price) AS l, MODE(exchange) AS m FROM m WINDOW SESSION(timestamp, 3s)",
        f"SELECT {SPAN}, LIST(price {ORDER}) AS l, MODE(exchange {ORDER}) AS m FROM {sessions(3_000_000)} GROUP BY n",
    ),
    "sessions by an expression, HAVING": (
        "SELECT upper(exchange) AS x, window_end, COUNT(*) AS c FROM m WHERE price > 98 "
        "GROUP BY x, SESSION(timestamp, 3s) HAVING COUNT(*) > 1",
        "SELECT upper(exchange) AS x, make_timestamp(max(__ts) + 3000000) AS window_end, COUNT(*) AS c "
        f"FROM {sessions(3_000_000, 'exchange', source='(SELECT * FROM m WHERE price > 98)')} "
        "GROUP BY exchange, n HAVING c > 1",
    ),
    "what depends on order goes by event time": (
        "SELECT symbol, window_end, FIRST(price) AS o, LAST(price) AS c, ANY_VALUE(volume) AS a, LIST(bid_size) AS l, "
        "STRING_AGG(exchange, '-') AS s, ARG_MAX(price, exchange) AS am, MIN_BY(price, exchange) AS ai, "
        "MODE(exchange) AS mo, ARG_MAX_NULL(price, exchange) AS an FROM m GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT symbol, {END7} AS window_end, FIRST(price {ORDER}) AS o, LAST(price {ORDER}) AS c, "
        f"ANY_VALUE(volume {ORDER}) AS a, LIST(bid_size {ORDER}) AS l, STRING_AGG(exchange, '-' {ORDER}) AS s, "
        f"ARG_MAX(price, exchange {ORDER}) AS am, ARG_MIN(price, exchange {ORDER}) AS ai, MODE(exchange {ORDER}) AS mo, "
        f"ARG_MAX_NULL(price, exchange {ORDER}) AS an FROM m GROUP BY symbol, {T7}",
    ),
    "first and last merge their states": (
        "SELECT window_end, FIRST(price) FILTER (WHERE volume > 90) AS o, LAST(price) AS c, ARG_MIN(volume, exchange) "
        "AS a FROM m GROUP BY HOP(timestamp, 2s, 7s)",
        f"SELECT make_timestamp(e) AS window_end, FIRST(price {ORDER}) FILTER (WHERE volume > 90) AS o, "
        f"LAST(price {ORDER}) AS c, ARG_MIN(volume, exchange {ORDER}) AS a FROM {hops(7_000_000, 2_000_000)} GROUP BY e",
    ),
    "FILTER, DISTINCT and ORDER BY inside": (
        "SELECT exchange, window_end, COUNT(DISTINCT symbol) FILTER (WHERE price > 100) AS d, SUM(DISTINCT volume) AS s, "
        "LIST(price ORDER BY volume DESC, price) AS l, STRING_AGG(DISTINCT symbol, ',') AS g FROM m "
        "GROUP BY exchange, TUMBLE(timestamp, 7s)",
        f"SELECT exchange, {END7} AS window_end, COUNT(DISTINCT symbol) FILTER (WHERE price > 100) AS d, "
        "SUM(DISTINCT volume) AS s, LIST(price ORDER BY volume DESC, price, __ts, __pos) AS l, "
        f"STRING_AGG(DISTINCT symbol, ',' ORDER BY symbol) AS g FROM m GROUP BY exchange, {T7}",
    ),
    "WITHIN GROUP": (
        "SELECT window_end, percentile_cont(0.25) WITHIN GROUP (ORDER BY price) AS a, percentile_disc(0.2) WITHIN GROUP "
        "(ORDER BY price DESC) AS b, percentile_cont([0.1, 0.9]) WITHIN GROUP (ORDER BY price DESC) FILTER "
        "(WHERE volume > 90) AS c, mode() WITHIN GROUP (ORDER BY exchange) AS m FROM m GROUP BY TUMBLE(timestamp, 7s)",
        f"SELECT {END7} AS window_end, percentile_cont(0.25) WITHIN GROUP (ORDER BY price) AS a, percentile_disc(0.2) "
        "WITHIN GROUP (ORDER BY price DESC) AS b, percentile_cont([0.1, 0.9]) WITHIN GROUP (ORDER BY price DESC) FILTER "
        f"(WHERE volume > 90) AS c, mode(exchange {ORDER}) AS m FROM m GROUP BY {T7}",
    ),
    "macros": (
        "SELECT window_end, GEOMEAN(price) AS g, WEIGHTED_AVG(price, volume) FILTER (WHERE price > 99) AS w, "
        "WAVG(price, bid_size) AS v, JSON_GROUP_ARRAY(symbol) AS j FROM m GROUP BY TUMBLE(timestamp, 7s)",
        f"SELECT {END7} AS window_end, GEOMEAN(price) AS g, SUM(price * volume) FILTER (WHERE price > 99) / "
        "SUM(CASE WHEN price IS NOT NULL THEN volume ELSE 0 END) FILTER (WHERE price > 99) AS w, "
        "WAVG(price, bid_size) AS v, JSON_GROUP_ARRAY(symbol) AS j "
        f"FROM (SELECT * FROM m {ORDER}) GROUP BY {T7}",
    ),
    "aggregates inside expressions and aggregates of expressions": (
        "SELECT length(symbol) AS l, (MAX(price) - MIN(price)) / AVG(price) AS r, SUM(CASE WHEN exchange = 'NYSE' THEN "
        "volume END) AS s FROM m GROUP BY ALL, TUMBLE(timestamp, 7s) HAVING MAX(price) IS NOT NULL",
        "SELECT length(symbol) AS l, (MAX(price) - MIN(price)) / AVG(price) AS r, SUM(CASE WHEN exchange = 'NYSE' THEN "
        f"volume END) AS s FROM m GROUP BY length(symbol), {T7} HAVING MAX(price) IS NOT NULL",
    ),
    "GROUP BY ALL over a bucket": (
        "SELECT time_bucket(INTERVAL 10 SECOND, timestamp) AS t, exchange, COUNT(*) AS n FROM m GROUP BY ALL",
        "SELECT time_bucket(INTERVAL 10 SECOND, timestamp, TIMESTAMP '1970-01-01') AS t, exchange, COUNT(*) AS n FROM m "
        "GROUP BY ALL",
    ),
    "distinct keys of a window, without an aggregate": (
        "SELECT symbol, window_end FROM m GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT DISTINCT symbol, {END7} AS window_end FROM m",
    ),
    "ROLLUP": (
        "SELECT window_end, symbol, exchange, GROUPING(symbol, exchange) AS g, SUM(volume) AS v FROM m "
        "GROUP BY TUMBLE(timestamp, 7s), ROLLUP (symbol, exchange)",
        f"SELECT {END7} AS window_end, symbol, exchange, GROUPING(symbol, exchange) AS g, SUM(volume) AS v "
        f"FROM (SELECT *, {T7} AS t FROM m) GROUP BY t, {T7}, ROLLUP (symbol, exchange)",
    ),
    "CUBE over hops, with rows kept": (
        "SELECT window_end, symbol, exchange, COUNT(DISTINCT price) AS d, GROUPING(exchange) AS g FROM m "
        "GROUP BY CUBE (symbol, exchange), HOP(timestamp, 5s, 10s)",
        "SELECT make_timestamp(e) AS window_end, symbol, exchange, COUNT(DISTINCT price) AS d, GROUPING(exchange) AS g "
        f"FROM {hops(10_000_000, 5_000_000)} GROUP BY e, CUBE (symbol, exchange)",
    ),
    "GROUPING SETS as Flink writes them": (
        "SELECT window_start, window_end, symbol, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(timestamp), "
        "INTERVAL '7' SECOND)) GROUP BY window_start, window_end, GROUPING SETS ((symbol), ())",
        f"SELECT {AT7} AS window_start, {END7} AS window_end, symbol, COUNT(*) AS n FROM (SELECT *, {T7} AS t FROM m) "
        f"GROUP BY t, {T7}, GROUPING SETS ((symbol), ())",
    ),
    "a bucket beside another window is a key": (
        "SELECT window_end, date_trunc('minute', timestamp) AS t, COUNT(*) AS n FROM m GROUP BY TUMBLE(timestamp, 7s), t",
        f"SELECT {END7} AS window_end, date_trunc('minute', timestamp) AS t, COUNT(*) AS n FROM m GROUP BY 1, 2",
    ),
    "window of a window by its end": (
        "WITH a AS (SELECT symbol, window_end AS e, SUM(volume) AS v FROM m GROUP BY symbol, TUMBLE(timestamp, 2s)) "
        "SELECT window_start, window_end, MAX(v) AS v, COUNT(*) AS n FROM a GROUP BY TUMBLE(e, 10s)",
        f"WITH a AS (SELECT symbol, {bucket(2_000_000)} + 2000000 AS e, SUM(volume) AS v FROM m GROUP BY ALL) "
        f"SELECT make_timestamp({bucket(10_000_000, ts='e')}) AS window_start, "
        f"make_timestamp({bucket(10_000_000, ts='e')} + 10000000) AS window_end, MAX(v) AS v, COUNT(*) AS n FROM a "
        "GROUP BY ALL",
    ),
    "three levels, by their starts": (
        "WITH a AS (SELECT symbol, exchange, window_start, SUM(volume) AS v FROM m GROUP BY symbol, exchange, "
        "TUMBLE(timestamp, 1s)), b AS (SELECT symbol, window_start, window_end, MAX(v) AS v FROM a GROUP BY symbol, "
        "TUMBLE(window_start, 5s)) SELECT window_start, window_end, SUM(v) AS v, MAX(window_end) AS last FROM b "
        "GROUP BY HOP(window_start, 5s, 10s)",
        f"WITH a AS (SELECT symbol, exchange, {bucket(1_000_000)} AS s, SUM(volume) AS v FROM m GROUP BY ALL), "
        f"b AS (SELECT symbol, {bucket(5_000_000, ts='s')} AS __ts, MAX(v) AS v FROM a GROUP BY ALL) "
        "SELECT make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, SUM(v) AS v, "
        f"make_timestamp(MAX(__ts) + 5000000) AS last FROM {hops(10_000_000, 5_000_000, source='b')} GROUP BY s, e",
    ),
    "Flink's cascade by window_time": (
        "SELECT window_start, window_end, SUM(v) AS v FROM TABLE(TUMBLE(TABLE (SELECT window_time AS t, SUM(volume) AS v "
        "FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(timestamp), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, "
        "window_time, symbol), DESCRIPTOR(t), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
        f"SELECT make_timestamp({bucket(10_000_000)}) AS window_start, make_timestamp({bucket(10_000_000)} + 10000000) "
        "AS window_end, SUM(volume) AS v FROM m GROUP BY ALL",
    ),
    "an aggregate of the windows that end together": (
        "WITH a AS (SELECT symbol, window_start, window_end, SUM(volume) AS v FROM m "
        "GROUP BY symbol, HOP(timestamp, 2s, 6s)) SELECT window_start, window_end, MAX(v) AS v, ARG_MAX(symbol, v) AS s "
        "FROM a GROUP BY window_start, window_end",
        "WITH a AS (SELECT symbol, s, e, SUM(volume) AS v FROM "
        f"{hops(6_000_000, 2_000_000)} GROUP BY ALL) SELECT make_timestamp(s) AS window_start, make_timestamp(e) "
        "AS window_end, MAX(v) AS v, ARG_MAX(symbol, v ORDER BY symbol NULLS LAST) AS s FROM a GROUP BY s, e",
    ),
    "the best window of each end": (
        "WITH a AS (SELECT symbol, window_end, COUNT(*) AS n FROM m GROUP BY symbol, TUMBLE(timestamp, 7s)) "
        "SELECT window_end, MAX(n) AS n FROM a GROUP BY window_end HAVING MAX(n) > 1",
        f"WITH a AS (SELECT symbol, {END7} AS window_end, COUNT(*) AS n FROM m GROUP BY ALL) "
        "SELECT window_end, MAX(n) AS n FROM a GROUP BY window_end HAVING MAX(n) > 1",
    ),
    "change between the windows of a key, in one SELECT": (
        "SELECT symbol, window_end, SUM(volume) AS v, v - LAG(v) OVER (PARTITION BY symbol ORDER BY window_end) AS d FROM m "
        "GROUP BY symbol, TUMBLE(timestamp, 7s) QUALIFY d IS NULL OR d > 0",
        f"SELECT symbol, {END7} AS window_end, SUM(volume) AS v, SUM(volume) - LAG(SUM(volume)) OVER "
        f"(PARTITION BY symbol ORDER BY {T7}) AS d FROM m GROUP BY symbol, {T7} QUALIFY d IS NULL OR d > 0",
    ),
    "rows of one instant": (
        "SELECT timestamp, exchange, COUNT(*) AS n FROM m GROUP BY timestamp, exchange",
        "SELECT timestamp, exchange, COUNT(*) AS n FROM m GROUP BY timestamp, exchange",
    ),
    "window over a filtered subquery": (
        "SELECT symbol, window_end, SUM(v) AS v FROM (SELECT symbol, volume * 2 AS v, timestamp FROM m WHERE price > 98) "
        "GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT symbol, {END7} AS window_end, SUM(volume * 2) AS v FROM m WHERE price > 98 GROUP BY 1, 2",
    ),
    "window over a join": (
        "SELECT p.trader_id, window_end, COUNT(*) AS n, SUM(m.volume) AS v FROM p JOIN m ON p.symbol = m.symbol AND "
        "m.timestamp BETWEEN p.timestamp - INTERVAL '2' SECOND AND p.timestamp GROUP BY p.trader_id, "
        "TUMBLE(p.timestamp, INTERVAL '10' SECOND)",
        f"SELECT p.trader_id, make_timestamp({bucket(10_000_000, ts='p.__ts')} + 10000000) AS window_end, COUNT(*) AS n, "
        "SUM(m.volume) AS v FROM p JOIN m ON p.symbol = m.symbol AND m.__ts BETWEEN p.__ts - 2000000 AND p.__ts "
        "GROUP BY 1, 2",
    ),
    "window over a union": (
        "SELECT symbol, window_end, COUNT(*) AS n, SUM(x) AS x FROM (SELECT symbol, volume AS x, timestamp FROM m "
        "UNION ALL SELECT symbol, position_size, timestamp FROM p) GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT symbol, {END7} AS window_end, COUNT(*) AS n, SUM(x) AS x FROM (SELECT symbol, volume AS x, __ts FROM m "
        "UNION ALL SELECT symbol, position_size, __ts FROM p) GROUP BY 1, 2",
    ),
    "rows with each of their hops": (
        "SELECT symbol, price, window_start, window_end FROM HOP(TABLE m, DESCRIPTOR(timestamp), 2s, 7s) WHERE price > 99",
        "SELECT symbol, price, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end "
        f"FROM {hops(7_000_000, 2_000_000)} WHERE price > 99",
    ),
    "rows with their cumulating windows": (
        "SELECT price, window_start, window_end FROM CUMULATE(TABLE m, DESCRIPTOR(timestamp), 5s, 15s) AS w",
        "SELECT price, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end "
        f"FROM {cumulated(15_000_000, 5_000_000)}",
    ),
    "groups of rows with their hops": (
        "WITH w AS (SELECT * FROM HOP(TABLE m, DESCRIPTOR(timestamp), 2s, 7s)) "
        "SELECT window_start, window_end, symbol, SUM(volume) AS v FROM w GROUP BY window_start, window_end, symbol",
        "SELECT make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, symbol, SUM(volume) AS v "
        f"FROM {hops(7_000_000, 2_000_000)} GROUP BY s, e, symbol",
    ),
    "LAG over rows with their hops": (
        "SELECT price, window_end, LAG(price) OVER (PARTITION BY symbol, window_end ORDER BY timestamp) AS b "
        "FROM HOP(TABLE m, DESCRIPTOR(timestamp), 2s, 7s)",
        "SELECT price, make_timestamp(e) AS window_end, LAG(price) OVER (PARTITION BY symbol, e ORDER BY __ts, __pos) "
        f"AS b FROM {hops(7_000_000, 2_000_000)}",
    ),
    "groups of rows with their tumbling window": (
        "WITH w AS (SELECT * FROM TUMBLE(TABLE m, DESCRIPTOR(timestamp), 7s)) "
        "SELECT window_end, MAX(price) AS p FROM w GROUP BY window_start, window_end",
        f"SELECT {END7} AS window_end, MAX(price) AS p FROM m GROUP BY 1",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_stream_equals_batch(name, tmp_path):
    query, oracle = CASES[name]
    answer = assert_one_answer(query, oracle, tables(), settings=DELAY, tmp_path=tmp_path, batches=(1, 10**9, None))
    assert answer, "a case that gives no rows proves nothing"


@pytest.mark.parametrize("name", CASES)
def test_partitions_interleaved_in_any_way(name):
    query, oracle = CASES[name]
    rng = random.Random(6)
    dealt = partitioned(tables(), 3, rng)
    expected = comparable(batch(oracle, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
    run = stream_partitions(plan_of(query, tables(), DELAY), dealt, rng)
    assert comparable(run.rows) == expected
    assert run.late == 0


@pytest.mark.parametrize("name", CASES)
def test_empty_input_gives_no_rows(name):
    empty = {t: v.slice(0, 0) for t, v in tables().items()}
    assert stream(plan_of(CASES[name][0], empty), empty, batch_rows=10, rng=random.Random(0)).rows == []


# -- calendar -----------------------------------------------------------------------------------------------------------

DAY = 86_400_000_000


def years(seed: int = 0) -> dict[str, pa.Table]:
    """Orders over some years, a few days apart, before 1970 too."""
    rng = random.Random(seed)
    at, rows = -500 * DAY, []
    for n in range(150):
        at += rng.choice([0, 1, DAY // 3, DAY, 9 * DAY, 40 * DAY])
        rows.append({"symbol": rng.choice("AB"), "quantity": n, "timestamp": at - rng.randrange(DAY)})
    return {"o": table(rows, ORDERS)}


@pytest.mark.parametrize(
    "expression",
    [
        "date_trunc('month', timestamp)",
        "date_trunc('quarter', timestamp)",
        "date_trunc('year', timestamp)",
        "time_bucket(INTERVAL '2 months', timestamp, TIMESTAMP '1970-01-01')",
        "date_trunc('week', timestamp)",
        "CAST(timestamp AS DATE)",
    ],
)
def test_calendar_windows(expression, tmp_path):
    query = f"SELECT {expression} AS t, symbol, SUM(quantity) AS q, COUNT(*) AS n FROM o GROUP BY t, symbol"
    delay = {"watermark.delay": "2d"}
    assert_one_answer(query, query, years(), settings=delay, tmp_path=tmp_path, batches=(1, 7, None))


def test_a_month_closes_at_its_end_and_not_later():
    rows = [
        {"symbol": "A", "quantity": 1, "timestamp": 31 * DAY - 1},
        {"symbol": "A", "quantity": 2, "timestamp": 31 * DAY},
    ]
    data = {"o": table(rows, ORDERS)}
    plan = plan_of("SELECT date_trunc('month', timestamp) AS t, SUM(quantity) AS q FROM o GROUP BY t", data)
    run = stream(plan, data, batch_rows=1, rng=random.Random(0), final=False)
    assert [r["q"] for r in run.rows] == [1]


# -- closing ------------------------------------------------------------------------------------------------------------


def at(*seconds: float, symbol: str = "A") -> dict[str, pa.Table]:
    base = BASE_US - BASE_US % MINUTE
    rows = [{"symbol": symbol, "quantity": 10**n, "timestamp": base + int(s * 1e6)} for n, s in enumerate(seconds)]
    return {"o": table(rows, ORDERS)}


def closed(query: str, data: dict[str, pa.Table]) -> list[int]:
    """The quantities of what is emitted before the end of the input, a row a tick."""
    run = stream(plan_of(query, data), data, batch_rows=1, rng=random.Random(0), final=False)
    return [r["q"] for r in run.rows]


SESSION = "SELECT window_start, window_end, SUM(quantity) AS q FROM o GROUP BY SESSION(timestamp, 5s)"


def test_a_row_exactly_the_gap_later_still_joins_its_session():
    assert closed(SESSION, at(1, 6, 11, 17)) == [111]


def test_a_session_is_not_over_at_its_end_but_after_it():
    two = at(1, 6).copy()
    other = at(6, symbol="B")["o"]
    query = "SELECT symbol, SUM(quantity) AS q FROM o GROUP BY symbol, SESSION(timestamp, 5s)"
    data = {"o": pa.concat_tables([two["o"].slice(0, 1), other])}
    assert closed(query, data) == []
    later = {"o": pa.concat_tables([data["o"], at(6.001, symbol="B")["o"]])}
    assert closed(query, later) == [1]


def test_a_window_closes_in_the_tick_in_which_the_one_above_it_does():
    query = (
        "WITH a AS (SELECT window_end, SUM(quantity) AS q FROM o GROUP BY symbol, TUMBLE(timestamp, 10s)) "
        "SELECT window_end, MAX(q) AS q FROM a GROUP BY window_end"
    )
    assert closed(query, at(1, 10)) == [1]


# -- refusals -----------------------------------------------------------------------------------------------------------

REFUSED = {
    "SELECT * FROM SESSION(TABLE m, DESCRIPTOR(timestamp), 5s)": ("session", "aggregates"),
    "SELECT symbol, COUNT(*) AS n FROM m GROUP BY ROLLUP (symbol), SESSION(timestamp, 5s)": ("GROUPING SETS", "CTE"),
    "SELECT COUNT(*) AS n FROM m GROUP BY TUMBLE(price, 5s)": ("event time", "timestamp"),
    "SELECT COUNT(*) AS n FROM (SELECT symbol, COUNT(*) AS n FROM m GROUP BY symbol) GROUP BY TUMBLE(n, 5s)": (
        "changelog",
        "window the stream first",
    ),
    "SELECT MAX(window_end) AS e FROM m GROUP BY TUMBLE(timestamp, 5s)": ("inside of an aggregate", "beside"),
    "SELECT symbol, window_end, COUNT(*) AS n FROM m GROUP BY symbol": ("window_end without a window", "TUMBLE"),
    "SELECT BITSTRING_AGG(volume) AS b FROM m GROUP BY TUMBLE(timestamp, 5s)": ("bounds", "min, max"),
    "SELECT COMBINE_AGGR(price) AS b FROM m GROUP BY TUMBLE(timestamp, 5s)": ("combine_aggr", "values"),
    "SELECT FIRST(n) AS f FROM (SELECT symbol, COUNT(*) AS n FROM m GROUP BY symbol)": ("no order", "ORDER BY"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_with_a_rewrite(query):
    what, instead = REFUSED[query]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(query, tables())
    assert what.lower() in caught.value.message.lower()
    assert instead.lower() in (caught.value.hint or "").lower()


@pytest.mark.parametrize("query", ["SELECT SUM(symbol) AS s FROM m GROUP BY SESSION(timestamp, 5s)"])
def test_duckdb_certifies_before_the_first_row(query):
    with pytest.raises(BindError) as caught:
        JobEngine(plan_of(query, tables())).close()
    assert "__" not in caught.value.message


# -- the wall clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) AS n FROM m GROUP BY TUMBLE(wall_clock(), 10s)",
        "SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE m, DESCRIPTOR(PROCTIME()), INTERVAL '10' SECOND)) "
        "GROUP BY window_start, window_end",
        "SELECT COUNT(*) AS n FROM m WINDOW TUMBLING(wall_clock(), 10s)",
        "SELECT COUNT(*) AS n FROM m GROUP BY HOP(wall_clock(), 5s, 10s)",
        "SELECT COUNT(*) AS n FROM m GROUP BY SESSION(wall_clock(), 10s)",
        "SELECT price, window_end FROM HOP(TABLE m, DESCRIPTOR(wall_clock()), 5s, 10s)",
        "SELECT price, window_end FROM TUMBLE(TABLE m, DESCRIPTOR(wall_clock()), 10s)",
    ],
)
def test_a_window_by_the_wall_clock_reads_the_brokers_time(query):
    plan = plan_of(query, tables())
    (source,) = plan.sources
    assert source.stream.schema.time_column is None
    assert any("event time of m is the broker's timestamp" in note for note in plan.notes)
    JobEngine(plan).close()


def test_the_wall_clock_beside_a_window_by_event_time_changes_nothing():
    plan = plan_of(
        "SELECT window_end, COUNT(*) AS n, wall_clock() AS w FROM m GROUP BY TUMBLE(timestamp, 10s)", tables()
    )
    assert plan.sources[0].stream.schema.time_column == "timestamp"
