-- construct: late rows: drop
-- The same rows as in tumble_drop: with a delay none is late.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '10s');
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, 10s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:08"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:03"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:12"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:04"}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:10", "qty": 23}
--| {"window_end": "2024-01-01 00:00:20", "qty": 8}

-- oracle:
--| SELECT make_timestamp((__ts - __ts % 10000000) + 10000000) AS window_end, SUM(qty) AS qty FROM trades GROUP BY 1
