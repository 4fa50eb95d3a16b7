-- construct: SESSION
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades WINDOW SESSION(timestamp, 5s);

-- step: each row exactly the gap after the last
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:00"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:10"}

-- step: a millisecond more
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:15.001"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:15", "qty": 7}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:15.001", "window_end": "2024-01-01 00:00:20.001", "qty": 8}

-- oracle:
--| SELECT make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 5000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, sum(f) OVER (ORDER BY __ts RANGE UNBOUNDED PRECEDING) AS n FROM
--| (SELECT *, CASE WHEN __ts - lag(__ts) OVER (ORDER BY __ts) <= 5000000 THEN 0 ELSE 1 END AS f FROM trades)) GROUP BY n
