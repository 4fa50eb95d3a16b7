-- construct: late rows: drop
-- oracle: none
-- A late row counts in those of its windows that are open.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY CUMULATE(timestamp, 5s, 10s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:05", "qty": 1}

-- step: at 4 s: counts from the window on that ends at 10 s
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:04"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:12"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 7}

-- step: too late for all of its windows
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:03"}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:15", "qty": 8}
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 8}
-- late j: 1
