-- construct: HOP
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades WINDOW SLIDING(timestamp, 7s, 5s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:02", "qty": 1}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:12"}
--| {"symbol": null, "qty": 5, "price": 5.0, "timestamp": "2024-01-01 00:00:14"}
--| {"symbol": "B", "qty": 6, "price": 6.0, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:07", "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:12", "qty": 9}
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:17", "qty": 9}
--| {"window_start": "2024-01-01 00:00:15", "window_end": "2024-01-01 00:00:22", "qty": 7}
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:27", "qty": 7}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:30", "window_end": "2024-01-01 00:00:37", "qty": 8}
--| {"window_start": "2024-01-01 00:00:35", "window_end": "2024-01-01 00:00:42", "qty": 8}

-- oracle:
--| SELECT make_timestamp(s) AS window_start, make_timestamp(s + 7000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts - __ts % 5000000 - 5000000, __ts + 1, 5000000)) AS s FROM trades) WHERE s + 7000000 > __ts GROUP BY s
