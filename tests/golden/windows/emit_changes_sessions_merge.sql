-- construct: EMIT CHANGES of windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '20s');
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY symbol, SESSION(timestamp, 5s) EMIT CHANGES;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:06", "qty": 1}
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:09", "window_end": "2024-01-01 00:00:14", "qty": 2}

-- step: they become one: the later start is no session any more
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "delete", "symbol": "A", "window_start": "2024-01-01 00:00:09", "window_end": "2024-01-01 00:00:14", "qty": 2}
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:14", "qty": 7}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:10"}
-- out j:
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:15", "qty": 15}

-- final

-- oracle:
--| SELECT symbol, make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 5000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, sum(f) OVER (PARTITION BY symbol ORDER BY __ts RANGE UNBOUNDED PRECEDING) AS n FROM
--| (SELECT *, CASE WHEN __ts - lag(__ts) OVER (PARTITION BY symbol ORDER BY __ts) <= 5000000 THEN 0 ELSE 1 END AS f FROM trades)) GROUP BY symbol, n
