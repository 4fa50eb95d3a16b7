"""Window functions and their batch answers, one text for both.

``{t}`` orders by event time: in the oracle, ties are broken by position; ``{d}`` is the same, newest first. ``{o}`` is what
an oracle adds inside a call whose frame is made of peers, to say in which order they stand, and ``{tie}`` to an order that
leaves something open.
"""

from __future__ import annotations

_W = "PARTITION BY symbol ORDER BY timestamp"
_R = "PARTITION BY symbol ORDER BY {t}"
_END = "time_bucket(INTERVAL 7 SECOND, timestamp, TIMESTAMP '1970-01-01') + INTERVAL 7 SECOND"
_BARS = (
    "(SELECT symbol, window_end, SUM(volume) AS v, COUNT(*) AS n FROM market_data "
    "GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND))"
)
_ORACLE_BARS = f"(SELECT symbol, {_END} AS window_end, SUM(volume) AS v, COUNT(*) AS n FROM market_data GROUP BY 1, 2)"
_FRAMES = [
    ("ROWS", ["2 PRECEDING", "CURRENT ROW", "2 FOLLOWING"]),
    ("GROUPS", ["2 PRECEDING", "CURRENT ROW", "1 FOLLOWING"]),
    ("RANGE", ["INTERVAL 2 SECOND PRECEDING", "CURRENT ROW", "INTERVAL 1 SECOND FOLLOWING"]),
]


def _over(select: str, rest: str = "") -> tuple[str, str]:
    written = f"SELECT symbol, exchange, price, volume, timestamp, {select} FROM market_data {rest}"
    query = written.replace("{t}", "timestamp").replace("{d}", "timestamp DESC")
    query = query.replace("{o}", "").replace("{tie}", "")
    oracle = written.replace("{t}", "__ts, __pos").replace("{d}", "__ts DESC, __pos DESC")
    return query, oracle.replace("{o}", " ORDER BY __ts, __pos").replace("{tie}", ", __ts, __pos")


def _every_frame() -> dict[str, tuple[str, str]]:
    """Every legal pair of bounds of every kind, four in one SELECT."""
    cases = {}
    for kind, bounds in _FRAMES:
        before, after = bounds[0].replace("2 ", "1 "), bounds[2].replace("1 ", "2 ").replace("2 F", "3 F")
        pairs = [(a, b) for i, a in enumerate(bounds) for b in bounds[i:]]
        pairs += [(bounds[0], before), (bounds[2], after)]
        pairs += [("UNBOUNDED PRECEDING", b) for b in (bounds[0], "CURRENT ROW", bounds[2])]
        for start in range(0, len(pairs), 4):
            some = pairs[start : start + 4]
            cases[f"{kind} {', '.join(f'{a} to {b}' for a, b in some)}"] = _over(
                ", ".join(_frame_calls(kind, a, b, str(i)) for i, (a, b) in enumerate(some))
            )
    return cases


def _frame_calls(kind: str, start: str, end: str, number: str) -> str:
    window = f"({_R if kind == 'ROWS' else _W} {kind} BETWEEN {start} AND {end})"
    calls = {
        "s": "SUM(volume)",
        "n": "COUNT(price)",
        "a": "AVG(price) FILTER (WHERE exchange = 'NYSE')",
        "f": "FIRST_VALUE(price{o})",
        "l": "LAST_VALUE(price{o})",
        "x": "NTH_VALUE(volume, 2{o})",
    }
    return ", ".join(f"{call} OVER {window} AS {name}{number}" for name, call in calls.items())


OVER: dict[str, tuple[str, str]] = {
    **_every_frame(),
    "exclude the current row": _over(
        f"SUM(volume) OVER ({_R} ROWS BETWEEN 3 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS a, "
        f"MIN(price) OVER ({_R} ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) AS b, "
        f"SUM(volume) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS c, "
        f"COUNT(*) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE NO OTHERS) AS d"
    ),
    "exclude peers": _over(
        f"SUM(volume) OVER ({_W} GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP) AS a, "
        f"SUM(volume) OVER ({_W} GROUPS 2 PRECEDING EXCLUDE TIES) AS b, "
        f"COUNT(*) OVER ({_W} RANGE BETWEEN INTERVAL 1 SECOND PRECEDING AND CURRENT ROW EXCLUDE TIES) AS c, "
        f"COUNT(*) OVER ({_W} RANGE BETWEEN INTERVAL 1 SECOND PRECEDING AND INTERVAL 1 SECOND FOLLOWING EXCLUDE CURRENT ROW) "
        f"AS d, COUNT(*) OVER ({_W} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS e"
    ),
    "aggregates of bounded frames": _over(
        "COUNT(DISTINCT exchange) OVER w AS a, LIST(volume) FILTER (WHERE volume > 100) OVER w AS b, "
        "MEDIAN(price) OVER w AS c, MODE(exchange) OVER w AS e, STRING_AGG(exchange, '-') OVER w AS f, "
        "ARG_MAX(exchange, price) OVER w AS g, STDDEV(price) OVER w AS h",
        f"WINDOW w AS ({_R} ROWS 4 PRECEDING)",
    ),
    "order within a call over peers": _over(
        f"LIST(exchange{{o}}) OVER ({_W} GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, "
        f"STRING_AGG(exchange, '-'{{o}}) OVER ({_W} RANGE INTERVAL 2 SECOND PRECEDING) AS b, "
        f"FIRST(exchange{{o}}) OVER ({_W} GROUPS 1 PRECEDING) AS c"
    ),
    "lag and lead": _over(
        f"LAG(price) OVER ({_R}) AS a, LEAD(price) OVER ({_R}) AS b, LEAD(volume, 3, -1) OVER (ORDER BY {{t}}) AS c, "
        f"LAG(price, 0) OVER ({_R}) AS d, LAG(price, -2, 0.5) OVER ({_R}) AS e, LEAD(price, 2, price) OVER ({_R}) AS f"
    ),
    "lead in a condition": _over(
        f"LEAD(price) OVER ({_R}) AS later", "QUALIFY later > price AND LAG(price) OVER (" + _R + ") IS NOT NULL"
    ),
    "nulls are ignored": _over(
        f"LAG(price IGNORE NULLS) OVER ({_R}) AS a, LAG(price, 3, -1.0 IGNORE NULLS) OVER ({_R}) AS b, "
        f"LEAD(price IGNORE NULLS) OVER ({_R}) AS c, LEAD(price, 2, 0.0 IGNORE NULLS) OVER ({_R}) AS d, "
        f"FIRST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS 2 PRECEDING) AS e, "
        f"LAST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS f, "
        f"NTH_VALUE(price, 2 IGNORE NULLS) OVER ({_R} ROWS 3 PRECEDING) AS g"
    ),
    "nulls are ignored in open frames": _over(
        f"FIRST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS a, "
        f"LAST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS b, "
        f"NTH_VALUE(price, 3 IGNORE NULLS) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS c, "
        f"LAST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS d, "
        f"FIRST_VALUE(price IGNORE NULLS) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING) AS e, "
        f"ANY_VALUE(price) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS f"
    ),
    "first, last and nth of open frames": _over(
        f"FIRST_VALUE(price) OVER ({_R}) AS a, FIRST_VALUE(volume) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND "
        f"UNBOUNDED FOLLOWING) AS b, NTH_VALUE(price, 2) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS c, "
        f"NTH_VALUE(price, 4{{o}}) OVER ({_W}) AS d, LAST_VALUE(price{{o}}) OVER ({_W}) AS e, "
        f"FIRST_VALUE(price) OVER ({_R} ROWS BETWEEN 2 PRECEDING AND UNBOUNDED FOLLOWING) AS f, "
        f"LAST(price{{o}}) OVER ({_W}) AS g, FIRST(price{{o}}) OVER ({_W}) AS h"
    ),
    "ranks by event time": _over(
        f"ROW_NUMBER() OVER ({_R}) AS a, RANK() OVER ({_W}) AS b, DENSE_RANK() OVER ({_W}) AS c, "
        f"RANK() OVER (ORDER BY timestamp) AS d, DENSE_RANK() OVER (PARTITION BY exchange ORDER BY timestamp) AS e"
    ),
    "ranks with tie breakers": _over(
        "ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp, exchange DESC{tie}) AS a, "
        "RANK() OVER (PARTITION BY symbol ORDER BY timestamp, exchange) AS b, "
        "DENSE_RANK() OVER (PARTITION BY symbol ORDER BY timestamp, exchange DESC) AS c"
    ),
    "tie breakers": _over(
        "LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp, volume DESC{tie}) AS a, "
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp, exchange) AS b, "
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp, exchange{tie} ROWS UNBOUNDED PRECEDING) AS c, "
        "AVG(price) OVER (PARTITION BY symbol ORDER BY timestamp, price DESC{tie} ROWS 2 PRECEDING) AS d, "
        "COUNT(*) OVER (ORDER BY timestamp, exchange GROUPS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS e, "
        "LEAD(price) OVER (PARTITION BY symbol ORDER BY timestamp, volume{tie}) AS f, "
        "STDDEV(price) OVER (PARTITION BY symbol ORDER BY timestamp, exchange) AS g, "
        "LAST_VALUE(price IGNORE NULLS) OVER (PARTITION BY symbol ORDER BY timestamp, volume{tie} "
        "ROWS UNBOUNDED PRECEDING) AS h, "
        "NTH_VALUE(price, 3) OVER (PARTITION BY symbol ORDER BY timestamp, volume{tie} ROWS UNBOUNDED PRECEDING) AS i, "
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp, exchange{tie} "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS j"
    ),
    "newest first": _over(
        "LAG(price) OVER (PARTITION BY symbol ORDER BY {d}) AS a, "
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY {d} ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS b, "
        "COUNT(*) OVER (ORDER BY timestamp DESC RANGE BETWEEN INTERVAL 1 SECOND PRECEDING AND CURRENT ROW) AS c"
    ),
    "numbers as bounds": _over(
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY epoch_ms(timestamp) RANGE BETWEEN 1500 PRECEDING AND CURRENT ROW) AS a, "
        "COUNT(*) OVER (ORDER BY epoch_us(timestamp) RANGE BETWEEN 400000 PRECEDING AND 400000 FOLLOWING) AS b, "
        "COUNT(*) OVER (ORDER BY epoch(timestamp) RANGE BETWEEN 1.5 PRECEDING AND 0.4 PRECEDING) AS c, "
        "SUM(volume) OVER (PARTITION BY symbol ORDER BY epoch_ms(timestamp)) AS d, "
        "RANK() OVER (PARTITION BY symbol ORDER BY epoch_ms(timestamp)) AS e, "
        "COUNT(*) OVER (PARTITION BY symbol ORDER BY epoch_ms(timestamp) GROUPS 2 PRECEDING) AS f, "
        "SUM(volume) OVER (ORDER BY EXTRACT(EPOCH FROM timestamp) RANGE 3 PRECEDING) AS g"
    ),
    "intervals in other words": _over(
        "COUNT(*) OVER (ORDER BY timestamp RANGE to_seconds(3) PRECEDING) AS a, "
        "COUNT(*) OVER (ORDER BY timestamp RANGE '2 seconds'::INTERVAL PRECEDING) AS b, "
        "COUNT(*) OVER (ORDER BY timestamp RANGE INTERVAL '1500 milliseconds' PRECEDING) AS c"
    ),
    "running values": _over(
        f"SUM(volume) OVER ({_W}) AS a, AVG(price) OVER ({_W}) AS b, MIN(exchange) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS c, "
        f"MAX(price) FILTER (WHERE volume > 100) OVER ({_W}) AS e, COUNT(*) FILTER (WHERE price > 100) OVER ({_W}) AS f, "
        f"COUNT(price) OVER (ORDER BY {{t}} ROWS UNBOUNDED PRECEDING) AS g, SUM(price) OVER (ORDER BY timestamp) AS h, "
        f"COUNT(price) FILTER (WHERE volume > 100) OVER ({_W}) AS i, "
        f"AVG(volume) FILTER (WHERE price > 1e9) OVER ({_W}) AS j, SUM(price > 100) OVER ({_W}) AS k, "
        f"SUM(volume::DECIMAL(12, 2)) OVER ({_W}) AS l, AVG(volume::DECIMAL(12, 2)) OVER ({_W}) AS m, "
        f"MIN(timestamp) OVER ({_W}) AS n, MAX([volume]) OVER ({_W}) AS o"
    ),
    "running states": _over(
        f"STDDEV(price) OVER ({_W}) AS a, ARG_MAX(exchange, price) OVER ({_R} ROWS UNBOUNDED PRECEDING) AS b, "
        f"BOOL_OR(price > 104) OVER ({_W}) AS c, APPROX_COUNT_DISTINCT(exchange) OVER ({_W}) AS e, "
        f"CORR(price, bid_price) FILTER (WHERE volume < 1000) OVER ({_W}) AS f, "
        f"VAR_POP(price) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS g, "
        f"APPROX_COUNT_DISTINCT(exchange) OVER ({_R} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS h"
    ),
    "partitions that end, function by function": _over(
        "NTILE(2) OVER (PARTITION BY timestamp ORDER BY price{tie}) AS a, PERCENT_RANK() OVER w AS b, "
        "CUME_DIST() OVER w AS c, SUM(volume) OVER (PARTITION BY timestamp) AS d, RANK() OVER w AS e, "
        "FIRST_VALUE(exchange) OVER (PARTITION BY timestamp ORDER BY price DESC{tie}) AS f, "
        "LAST_VALUE(exchange) OVER (PARTITION BY timestamp ORDER BY price{tie} "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS g, "
        "LEAD(price) OVER (PARTITION BY timestamp ORDER BY price{tie}) AS h, LIST(volume{o}) OVER (PARTITION BY timestamp) AS i",
        "WINDOW w AS (PARTITION BY timestamp ORDER BY volume)",
    ),
    "totals of a bucket": _over(
        "volume / SUM(volume) OVER (PARTITION BY date_trunc('minute', timestamp)) AS share, "
        "RANK() OVER (PARTITION BY symbol, date_trunc('minute', timestamp) ORDER BY price DESC) AS r, "
        "COUNT(*) OVER (PARTITION BY timestamp::DATE) AS d"
    ),
    "running within a bucket": _over(
        "SUM(volume) OVER (PARTITION BY symbol, date_trunc('minute', timestamp) ORDER BY timestamp) AS s, "
        "STDDEV(price) OVER (PARTITION BY date_trunc('minute', timestamp) ORDER BY timestamp) AS sd, "
        "LEAD(price) OVER (PARTITION BY symbol, date_trunc('minute', timestamp) ORDER BY {t}) AS l, "
        "ROW_NUMBER() OVER (PARTITION BY timestamp::DATE ORDER BY {t}) AS n"
    ),
    "several windows at once": _over(
        f"LAG(price) OVER ({_R}) AS a, SUM(volume) OVER (PARTITION BY exchange ORDER BY {{t}} ROWS 3 PRECEDING) AS b, "
        f"RANK() OVER (PARTITION BY timestamp ORDER BY price) AS c, SUM(volume) OVER (ORDER BY timestamp) AS d, "
        f"LEAD(price, 2) OVER (PARTITION BY exchange ORDER BY {{t}}) AS e",
        "WHERE volume < 1000 QUALIFY d > 500 AND c <= 2",
    ),
    "window Top-N": (
        f"SELECT symbol, window_end, v, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY n DESC, symbol) AS r "
        f"FROM {_BARS} QUALIFY r <= 2",
        f"SELECT symbol, window_end, v, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY n DESC, symbol) AS r "
        f"FROM {_ORACLE_BARS} QUALIFY r <= 2",
    ),
    "shares of a window, beside the window before": (
        f"SELECT symbol, window_end, v / SUM(v) OVER (PARTITION BY window_end) AS share, "
        f"LAG(v) OVER (PARTITION BY symbol ORDER BY window_end) AS before FROM {_BARS}",
        f"SELECT symbol, window_end, v / SUM(v) OVER (PARTITION BY window_end) AS share, "
        f"LAG(v) OVER (PARTITION BY symbol ORDER BY window_end) AS before FROM {_ORACLE_BARS}",
    ),
    "aggregate of what waited": (
        "WITH l AS (SELECT symbol, timestamp, LEAD(price, 2) OVER (PARTITION BY symbol ORDER BY timestamp) AS later "
        "FROM market_data) SELECT symbol, window_end, COUNT(later) AS n, SUM(later) AS s FROM l "
        "GROUP BY symbol, TUMBLE(timestamp, INTERVAL '7' SECOND)",
        "WITH l AS (SELECT symbol, timestamp, LEAD(price, 2) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS later "
        f"FROM market_data) SELECT symbol, {_END} AS window_end, COUNT(later) AS n, SUM(later) AS s FROM l GROUP BY 1, 2",
    ),
    "order of what waited": (
        "WITH l AS (SELECT *, LEAD(price) OVER (PARTITION BY exchange ORDER BY timestamp) AS later FROM market_data) "
        "SELECT symbol, later - LAG(later) OVER (PARTITION BY symbol ORDER BY timestamp) AS d FROM l",
        "WITH l AS (SELECT *, LEAD(price) OVER (PARTITION BY exchange ORDER BY __ts, __pos) AS later FROM market_data) "
        "SELECT symbol, later - LAG(later) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS d FROM l",
    ),
    "two time columns": (
        "SELECT a.price, b.price AS q, ROW_NUMBER() OVER (ORDER BY a.timestamp, a.price, b.price, a.volume, b.volume) AS n, "
        "COUNT(*) OVER (ORDER BY b.timestamp) AS m FROM market_data a JOIN market_data b "
        "ON a.symbol = b.symbol AND b.timestamp BETWEEN a.timestamp - INTERVAL '1' SECOND AND a.timestamp",
        "SELECT a.price, b.price AS q, ROW_NUMBER() OVER (ORDER BY a.timestamp, a.price, b.price, a.volume, b.volume) AS n, "
        "COUNT(*) OVER (ORDER BY b.timestamp) AS m FROM market_data a JOIN market_data b "
        "ON a.symbol = b.symbol AND b.timestamp BETWEEN a.timestamp - INTERVAL '1' SECOND AND a.timestamp",
    ),
}


def _ranked(select: str, rank: str, rest: str) -> tuple[str, str]:
    """``{rank}`` in both parts is the rank; in the oracle its order ends with time and position."""
    query = f"SELECT {select} FROM market_data {rest}".replace("{rank}", rank.replace("{tie}", ""))
    oracle = f"SELECT {select} FROM market_data {rest}".replace("{rank}", rank.replace("{tie}", ", __ts, __pos"))
    return query, oracle


_BEST = "ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price DESC{tie})"
_GROUPS = "(SELECT exchange, symbol, SUM(volume) AS v, COUNT(*) AS n FROM market_data GROUP BY exchange, symbol)"
_SUB = "(SELECT *, {rank} AS rn FROM market_data)"

CHANGING: dict[str, tuple[str, str]] = {
    "best three with their ranks": _ranked("symbol, price, {rank} AS rn", _BEST, "QUALIFY rn <= 3"),
    "best three": _ranked("symbol, exchange, price", _BEST, "QUALIFY {rank} < 4"),
    "the best one": _ranked("symbol, price", _BEST, "QUALIFY 1 = {rank}"),
    "the best of all": _ranked("symbol, price", "ROW_NUMBER() OVER (ORDER BY price{tie})", "QUALIFY {rank} <= 5"),
    "the second best": _ranked("symbol, price", _BEST, "QUALIFY {rank} = 2"),
    "some ranks": _ranked(
        "symbol, price",
        "ROW_NUMBER() OVER (PARTITION BY length(symbol) ORDER BY price{tie})",
        "QUALIFY {rank} BETWEEN 2 AND 4",
    ),
    "ties share a rank": _ranked(
        "symbol, volume, {rank} AS r", "RANK() OVER (PARTITION BY symbol ORDER BY volume)", "QUALIFY r <= 2"
    ),
    "ranks without gaps, and another condition": _ranked(
        "symbol, volume, {rank} AS r",
        "DENSE_RANK() OVER (PARTITION BY symbol ORDER BY volume)",
        "QUALIFY r <= 2 AND exchange <> 'NYSE'",
    ),
    "best of what another window function made": (
        "SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS move FROM market_data "
        "WHERE volume > 90 QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price DESC) <= 2 AND move IS NOT NULL",
        "SELECT symbol, price - LAG(price) OVER (PARTITION BY symbol ORDER BY __ts, __pos) AS move FROM market_data "
        "WHERE volume > 90 QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price DESC, __ts, __pos) <= 2 "
        "AND move IS NOT NULL",
    ),
    "newest two": (
        "SELECT symbol, price FROM market_data QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp DESC) <= 2",
        "SELECT symbol, price FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY __ts DESC, __pos DESC) <= 2",
    ),
    "newest by a key that is not shown": (
        "SELECT price, timestamp() AS at FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY length(symbol) ORDER BY timestamp DESC) = 1",
        "SELECT price, timestamp AS at FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY length(symbol) ORDER BY __ts DESC, __pos DESC) = 1",
    ),
    "newest, where it satisfies a condition": (
        "SELECT symbol, price, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp DESC) AS rn FROM market_data "
        "QUALIFY rn = 1 AND price > 97",
        "SELECT symbol, price, 1 AS rn FROM market_data "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY __ts DESC, __pos DESC) = 1 AND price > 97",
    ),
    "filter around a rank": (
        f"SELECT symbol, price, rn FROM {_SUB} WHERE rn <= 2".replace("{rank}", _BEST.replace("{tie}", "")),
        f"SELECT symbol, price, rn FROM {_SUB} WHERE rn <= 2".replace(
            "{rank}", _BEST.replace("{tie}", ", __ts, __pos")
        ),
    ),
    "filter around a rank of a CTE": (
        f"WITH r AS {_SUB} SELECT symbol, price FROM r AS z WHERE z.rn = 1 AND price > 100".replace(
            "{rank}", _BEST.replace("{tie}", "")
        ),
        f"WITH r AS {_SUB} SELECT symbol, price FROM r AS z WHERE z.rn = 1 AND price > 100".replace(
            "{rank}", _BEST.replace("{tie}", ", __ts, __pos")
        ),
    ),
    "ranks and shares of groups": (
        f"SELECT *, RANK() OVER (ORDER BY v DESC) AS r, v / SUM(v) OVER () AS p FROM {_GROUPS}",
    )
    * 2,
    "best groups of a key": (
        f"SELECT exchange, symbol, v, ROW_NUMBER() OVER (PARTITION BY exchange ORDER BY n DESC, symbol) AS r, "
        f"SUM(v) OVER (PARTITION BY exchange) AS t FROM {_GROUPS} QUALIFY r <= 2",
    )
    * 2,
    "frames over groups": (
        f"SELECT exchange, symbol, LAG(v) OVER w AS before, SUM(n) OVER (PARTITION BY exchange ORDER BY symbol "
        f"ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near, NTILE(2) OVER w AS half FROM {_GROUPS} WHERE n > 1 "
        f"WINDOW w AS (PARTITION BY exchange ORDER BY symbol)",
    )
    * 2,
}
