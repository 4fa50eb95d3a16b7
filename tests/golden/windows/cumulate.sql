-- construct: CUMULATE
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM TABLE(CUMULATE(TABLE trades, DESCRIPTOR(timestamp),
INTERVAL '5' SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end;

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
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:05", "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 12}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:15", "qty": 21}
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "qty": 21}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:25", "qty": 7}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:30", "qty": 7}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:35", "qty": 7}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:40", "qty": 15}

-- oracle:
--| SELECT make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, SUM(qty) AS qty FROM (SELECT *, __ts - __ts % 20000000 AS s,
--| unnest(range(__ts - __ts % 5000000 + 5000000, __ts - __ts % 20000000 + 20000001, 5000000)) AS e FROM trades) GROUP BY s, e
