"""Nexmark's queries in batch, written for DuckDB by hand: what each job's whole output must equal.

Every input has ``__ts`` (event time, µs) and ``__pos`` (order of arrival) beside its own columns.
"""

from __future__ import annotations

_RANKS = ("price < 10000", "price BETWEEN 10000 AND 999999", "price >= 1000000")
_DAY = "CAST(dateTime::DATE AS VARCHAR)"
_BIDS = "count(*) AS total_bids, " + ", ".join(f"count_if({r}) AS rank{n}_bids" for n, r in enumerate(_RANKS, 1))
_DISTINCT = ", ".join(
    f"count(DISTINCT {column}) AS total_{column}s, "
    + ", ".join(
        f"count(DISTINCT CASE WHEN {r} THEN {column} END) AS rank{n}_{column}s" for n, r in enumerate(_RANKS, 1)
    )
    for column in ("bidder", "auction")
)
_TEN = "to_timestamp(__ts // 10000000 * 10)::TIMESTAMP"
_IN_TIME = "auction a, bid b WHERE b.auction = a.id AND b.__ts BETWEEN a.__ts AND epoch_us(a.expires)"
_BEST = f"""
    SELECT a.id, a.itemName, a.initialBid, a.reserve, a.dateTime, a.expires, a.seller, a.category,
           b.bidder, b.price, b.dateTime AS bid_dateTime
    FROM {_IN_TIME}
    QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.__ts, b.bidder) = 1
"""
_DIRS = r"regexp_extract(url, '^https://www\.nexmark\.com/([^/]*)/([^/]*)/([^/]*)/', {})"

ORACLES = {
    0: "SELECT auction, bidder, price, dateTime, extra FROM bid",
    1: "SELECT auction, bidder, price * 0.908 AS price, dateTime, extra FROM bid",
    2: "SELECT auction, price FROM bid WHERE auction - auction // 123 * 123 = 0",
    3: """
        SELECT name, city, state, auction.id FROM auction, person
        WHERE person.id = seller AND category = 10 AND state IN ('CA', 'ID', 'OR')
    """,
    4: f"""
        SELECT category, avg(best) AS average
        FROM (SELECT a.id, any_value(a.category) AS category, max(price) AS best FROM {_IN_TIME} GROUP BY a.id)
        GROUP BY category
    """,
    5: """
        SELECT auction, count(*) AS num, make_timestamp(s + 10000000) AS window_end
        FROM (SELECT auction, unnest(range(__ts // 2000000 * 2000000 - 8000000, __ts + 1, 2000000)) AS s FROM bid)
        GROUP BY auction, s
        QUALIFY rank() OVER (PARTITION BY s ORDER BY count(*) DESC) = 1
    """,
    6: f"""
        WITH best AS ({_BEST}),
        ranked AS (SELECT *, row_number() OVER (PARTITION BY seller ORDER BY bid_dateTime DESC, id DESC) AS n FROM best)
        SELECT seller, avg(price) AS average FROM ranked WHERE n <= 10 GROUP BY seller
    """,
    7: """
        WITH most AS (SELECT __ts // 10000000 AS w, max(price) AS price FROM bid GROUP BY w)
        SELECT auction, bid.price, bidder, dateTime FROM bid, most
        WHERE bid.price = most.price AND __ts BETWEEN w * 10000000 AND w * 10000000 + 10000000
    """,
    8: f"""
        SELECT DISTINCT p.id, p.name, p.w AS window_start
        FROM (SELECT *, {_TEN} AS w FROM person) p, (SELECT *, {_TEN} AS w FROM auction) a
        WHERE p.id = a.seller AND p.w = a.w
    """,
    9: _BEST,
    10: f"""
        SELECT auction, bidder, price, dateTime, extra, {_DAY} AS dt,
               lpad(hour(dateTime)::VARCHAR, 2, '0') || ':' || lpad(minute(dateTime)::VARCHAR, 2, '0') AS hm
        FROM bid
    """,
    11: """
        WITH starts AS (
            SELECT bidder, __ts, __ts - lag(__ts) OVER (PARTITION BY bidder ORDER BY __ts) <= 10000000 AS goes_on FROM bid
        ), sessions AS (
            SELECT *, count_if(goes_on IS NOT TRUE)
                OVER (PARTITION BY bidder ORDER BY __ts, goes_on NULLS FIRST ROWS UNBOUNDED PRECEDING) AS number
            FROM starts
        )
        SELECT bidder, count(*) AS bid_count, make_timestamp(min(__ts)) AS starttime,
               make_timestamp(max(__ts) + 10000000) AS endtime
        FROM sessions GROUP BY bidder, number
    """,
    12: f"""
        SELECT bidder, count(*) AS bid_count, {_TEN} AS starttime, starttime + INTERVAL 10 SECOND AS endtime
        FROM bid GROUP BY bidder, starttime
    """,
    13: """
        SELECT auction, bidder, price, dateTime,
               ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'][auction % 10 + 1] AS value
        FROM bid
    """,
    14: """
        SELECT auction, bidder, price * 0.908 AS price,
               CASE WHEN hour(dateTime) IN (7, 19) THEN 'otherTime'
                    WHEN hour(dateTime) > 7 AND hour(dateTime) < 19 THEN 'dayTime' ELSE 'nightTime' END AS bidTimeType,
               dateTime, extra, len(list_filter(string_split(extra, ''), lambda letter: letter = 'c')) AS c_counts
        FROM bid WHERE price * 0.908 BETWEEN 1000000.001 AND 49999999.999
    """,
    15: f"SELECT {_DAY} AS day, {_BIDS}, {_DISTINCT} FROM bid GROUP BY day",
    16: f"""
        SELECT channel, {_DAY} AS day, strftime(max(dateTime), '%H:%M') AS minute, {_BIDS}, {_DISTINCT}
        FROM bid GROUP BY channel, day
    """,
    17: f"""
        SELECT auction, {_DAY} AS day, {_BIDS}, min(price) AS min_price, max(price) AS max_price,
               sum(price) / count(*) AS avg_price, sum(price) AS sum_price
        FROM bid GROUP BY auction, day
    """,
    18: """
        SELECT auction, bidder, price, channel, url, dateTime, extra FROM bid
        QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY __ts DESC, __pos DESC) = 1
    """,
    19: """
        SELECT auction, bidder, price, channel, url, dateTime, extra, n AS rank_number
        FROM (SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, __ts, bidder, __pos) AS n FROM bid)
        WHERE n < 11
    """,
    20: """
        SELECT auction, bidder, price, channel, url, bid.dateTime, bid.extra, itemName, description, initialBid, reserve,
               auction.dateTime AS auction_dateTime, expires, seller, category, auction.extra AS auction_extra
        FROM auction, bid WHERE bid.auction = auction.id AND category = 10
    """,
    21: """
        SELECT auction, bidder, price, channel,
               coalesce(CAST(list_position(['apple', 'google', 'facebook', 'baidu'], lower(channel)) - 1 AS VARCHAR),
                        string_split(url, 'channel_id=')[2]) AS channel_id
        FROM bid WHERE channel_id IS NOT NULL
    """,
    22: f"""
        SELECT auction, bidder, price, channel, {_DIRS.format(1)} AS dir1, {_DIRS.format(2)} AS dir2, {_DIRS.format(3)} AS dir3
        FROM bid
    """,
}
