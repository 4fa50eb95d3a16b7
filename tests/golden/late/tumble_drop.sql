-- construct: late rows: drop
-- oracle: none
-- A late row counts while its window is open; then it is dropped and counted.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, 10s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:08"}

-- step: behind the watermark, in a window that is open
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:03"}

-- step: the window closes
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:12"}
-- out j:
--| {"window_end": "2024-01-01 00:00:10", "qty": 7}

-- step: too late
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:04"}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:20", "qty": 8}
-- late j: 1
