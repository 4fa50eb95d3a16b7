-- construct: TUMBLE
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT time_bucket(INTERVAL '10 seconds', timestamp, TIMESTAMP '2024-01-01 00:00:04') AS t, SUM(qty) AS qty FROM trades GROUP BY t;

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
--| {"t": "2023-12-31 23:59:54", "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"t": "2024-01-01 00:00:04", "qty": 13}
--| {"t": "2024-01-01 00:00:14", "qty": 12}

-- final
-- out j:
--| {"t": "2024-01-01 00:00:34", "qty": 8}

-- oracle:
--| SELECT time_bucket(INTERVAL '10 seconds', timestamp, TIMESTAMP '2024-01-01 00:00:04') AS t, SUM(qty) AS qty FROM trades GROUP BY t
