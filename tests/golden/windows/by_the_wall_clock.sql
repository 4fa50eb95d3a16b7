-- construct: windows by the wall clock
-- batches: whole
-- oracle: none
-- Each row belongs to the window in which the broker took it in; its own timestamp is a column like any other.
-- No oracle: when rows arrive is not in them. Batches are whole because arrival is what is grouped by.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY symbol, TUMBLE(wall_clock(), 10s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:08:20"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}

-- step
-- wait 12s
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 3}

-- step
-- wait 30s
-- in trades:
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 4}

-- final
-- out j:
--| {"symbol": "B", "window_start": "2024-01-01 00:00:40", "window_end": "2024-01-01 00:00:50", "qty": 8}
