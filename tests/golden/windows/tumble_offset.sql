-- construct: TUMBLE
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(timestamp),
INTERVAL '10' SECOND, INTERVAL '3' SECOND)) GROUP BY window_start, window_end;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"window_start": "2023-12-31 23:59:53", "window_end": "2024-01-01 00:00:03", "qty": 1}

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
--| {"window_start": "2024-01-01 00:00:03", "window_end": "2024-01-01 00:00:13", "qty": 15}
--| {"window_start": "2024-01-01 00:00:13", "window_end": "2024-01-01 00:00:23", "qty": 12}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:33", "window_end": "2024-01-01 00:00:43", "qty": 8}

-- oracle:
--| SELECT make_timestamp(s) AS window_start, make_timestamp(s + 10000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, (__ts - (__ts - 3000000) % 10000000) AS s FROM trades) GROUP BY s
