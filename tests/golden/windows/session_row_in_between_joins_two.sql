-- construct: SESSION
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '20s');
START JOB j AS SELECT symbol, window_start, window_end, LIST(qty) AS qtys FROM TABLE(SESSION(TABLE trades PARTITION BY symbol, DESCRIPTOR(timestamp), INTERVAL '5' SECOND)) GROUP BY symbol, window_start, window_end;

-- step: two sessions so far
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:09"}
--| {"symbol": "B", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:02"}

-- step: one row makes them one
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:05"}

-- step
-- in trades:
--| {"symbol": "B", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:40"}
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:02", "window_end": "2024-01-01 00:00:07", "qtys": [4]}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:14", "qtys": [1, 8, 2]}

-- final
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:40", "window_end": "2024-01-01 00:00:45", "qtys": [16]}

-- oracle:
--| SELECT symbol, make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 5000000) AS window_end, LIST(qty ORDER BY __ts) AS qtys
--| FROM (SELECT *, sum(f) OVER (PARTITION BY symbol ORDER BY __ts RANGE UNBOUNDED PRECEDING) AS n FROM
--| (SELECT *, CASE WHEN __ts - lag(__ts) OVER (PARTITION BY symbol ORDER BY __ts) <= 5000000 THEN 0 ELSE 1 END AS f FROM trades)) GROUP BY symbol, n
