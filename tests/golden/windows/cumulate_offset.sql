-- construct: CUMULATE
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, window_start, window_end, COUNT(*) AS n FROM trades GROUP BY symbol, CUMULATE(timestamp, 5s, 10s, 2s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"symbol": "A", "window_start": "2023-12-31 23:59:52", "window_end": "2024-01-01 00:00:02", "n": 1}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:12"}
--| {"symbol": null, "qty": 5, "price": 5.0, "timestamp": "2024-01-01 00:00:14"}
--| {"symbol": "B", "qty": 6, "price": 6.0, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:02", "window_end": "2024-01-01 00:00:07", "n": 1}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:02", "window_end": "2024-01-01 00:00:12", "n": 1}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:02", "window_end": "2024-01-01 00:00:12", "n": 2}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:12", "window_end": "2024-01-01 00:00:17", "n": 1}
--| {"symbol": null, "window_start": "2024-01-01 00:00:12", "window_end": "2024-01-01 00:00:17", "n": 1}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:12", "window_end": "2024-01-01 00:00:22", "n": 2}
--| {"symbol": null, "window_start": "2024-01-01 00:00:12", "window_end": "2024-01-01 00:00:22", "n": 1}

-- final
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:32", "window_end": "2024-01-01 00:00:37", "n": 1}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:32", "window_end": "2024-01-01 00:00:42", "n": 1}

-- oracle:
--| SELECT symbol, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, COUNT(*) AS n FROM (SELECT *, __ts - (__ts - 2000000) % 10000000 AS s,
--| unnest(range(__ts - (__ts - 2000000) % 5000000 + 5000000, __ts - (__ts - 2000000) % 10000000 + 10000001, 5000000)) AS e FROM trades) GROUP BY ALL
