-- construct: SESSION
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty, COUNT(*) AS n FROM trades GROUP BY symbol, SESSION(timestamp, INTERVAL '5' SECOND);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:12"}
--| {"symbol": null, "qty": 5, "price": 5.0, "timestamp": "2024-01-01 00:00:14"}
--| {"symbol": "B", "qty": 6, "price": 6.0, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:06", "qty": 1, "n": 1}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:03", "window_end": "2024-01-01 00:00:13", "qty": 8, "n": 2}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:09", "window_end": "2024-01-01 00:00:17", "qty": 7, "n": 2}
--| {"symbol": null, "window_start": "2024-01-01 00:00:14", "window_end": "2024-01-01 00:00:19", "qty": 5, "n": 1}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:21", "window_end": "2024-01-01 00:00:26", "qty": 7, "n": 1}

-- final
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:35", "window_end": "2024-01-01 00:00:40", "qty": 8, "n": 1}

-- oracle:
--| SELECT symbol, make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 5000000) AS window_end, SUM(qty) AS qty, COUNT(*) AS n
--| FROM (SELECT *, sum(f) OVER (PARTITION BY symbol ORDER BY __ts RANGE UNBOUNDED PRECEDING) AS n FROM
--| (SELECT *, CASE WHEN __ts - lag(__ts) OVER (PARTITION BY symbol ORDER BY __ts) <= 5000000 THEN 0 ELSE 1 END AS f FROM trades)) GROUP BY symbol, n
