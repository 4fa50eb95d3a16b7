-- construct: GROUPING SETS in windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_start, window_end, symbol, SUM(qty) AS qty FROM TABLE(HOP(TABLE trades, DESCRIPTOR(timestamp),
INTERVAL '10' SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end, GROUPING SETS ((symbol), ());

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
--| {"window_start": "2023-12-31 23:59:50", "window_end": "2024-01-01 00:00:10", "symbol": "A", "qty": 4}
--| {"window_start": "2023-12-31 23:59:50", "window_end": "2024-01-01 00:00:10", "symbol": "B", "qty": 8}
--| {"window_start": "2023-12-31 23:59:50", "window_end": "2024-01-01 00:00:10", "symbol": null, "qty": 12}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "symbol": "A", "qty": 8}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "symbol": "B", "qty": 8}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "symbol": null, "qty": 5}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "symbol": null, "qty": 21}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:30", "symbol": "A", "qty": 11}
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:30", "symbol": null, "qty": 5}
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:30", "symbol": null, "qty": 16}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:40", "symbol": "A", "qty": 7}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:40", "symbol": "B", "qty": 8}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:40", "symbol": null, "qty": 15}
--| {"window_start": "2024-01-01 00:00:30", "window_end": "2024-01-01 00:00:50", "symbol": "B", "qty": 8}
--| {"window_start": "2024-01-01 00:00:30", "window_end": "2024-01-01 00:00:50", "symbol": null, "qty": 8}

-- oracle:
--| SELECT make_timestamp(s) AS window_start, make_timestamp(s + 20000000) AS window_end, symbol, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts - __ts % 10000000 - 10000000, __ts + 1, 10000000)) AS s FROM trades) GROUP BY s, GROUPING SETS ((symbol), ())
