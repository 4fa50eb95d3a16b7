-- construct: TUMBLE
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty, COUNT(*) AS n FROM trades
GROUP BY symbol, TUMBLE(timestamp, INTERVAL '10' SECOND);

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

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 4, "n": 2}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 8, "n": 2}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 4, "n": 1}
--| {"symbol": null, "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 5, "n": 1}

-- final
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:30", "qty": 7, "n": 1}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:30", "window_end": "2024-01-01 00:00:40", "qty": 8, "n": 1}

-- oracle:
--| SELECT symbol, make_timestamp(s) AS window_start, make_timestamp(s + 10000000) AS window_end, SUM(qty) AS qty, COUNT(*) AS n
--| FROM (SELECT *, (__ts - __ts % 10000000) AS s FROM trades) GROUP BY symbol, s
