-- construct: HOP
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty FROM trades
GROUP BY symbol, HOP(timestamp, INTERVAL '5' SECOND, INTERVAL '15' SECOND);

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
--| {"symbol": "A", "window_start": "2023-12-31 23:59:50", "window_end": "2024-01-01 00:00:05", "qty": 1}
--| {"symbol": "B", "window_start": "2023-12-31 23:59:50", "window_end": "2024-01-01 00:00:05", "qty": 2}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"symbol": "A", "window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:10", "qty": 4}
--| {"symbol": "B", "window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:10", "qty": 8}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:15", "qty": 8}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:15", "qty": 8}
--| {"symbol": null, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:15", "qty": 5}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:20", "qty": 7}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:20", "qty": 6}
--| {"symbol": null, "window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:20", "qty": 5}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:25", "qty": 11}
--| {"symbol": null, "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:25", "qty": 5}

-- final
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:15", "window_end": "2024-01-01 00:00:30", "qty": 7}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:35", "qty": 7}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:25", "window_end": "2024-01-01 00:00:40", "qty": 8}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:30", "window_end": "2024-01-01 00:00:45", "qty": 8}
--| {"symbol": "B", "window_start": "2024-01-01 00:00:35", "window_end": "2024-01-01 00:00:50", "qty": 8}

-- oracle:
--| SELECT symbol, make_timestamp(s) AS window_start, make_timestamp(s + 15000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts - __ts % 5000000 - 10000000, __ts + 1, 5000000)) AS s FROM trades) GROUP BY symbol, s
