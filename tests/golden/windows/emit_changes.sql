-- construct: EMIT CHANGES of windows
-- Every window is emitted with its first row, and again when its values change.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY symbol, TUMBLE(timestamp, 10s) EMIT CHANGES;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 1}
--| {"op": "upsert", "symbol": "B", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 2}

-- step: nothing changes
-- in trades:
--| {"symbol": "A", "qty": 0, "price": 0.0, "timestamp": "2024-01-01 00:00:04"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 5}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:12"}
-- out j:
--| {"op": "upsert", "symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 8}

-- final

-- oracle:
--| SELECT symbol, make_timestamp((__ts - __ts % 10000000)) AS window_start, make_timestamp((__ts - __ts % 10000000) + 10000000) AS window_end, SUM(qty) AS qty FROM trades GROUP BY ALL
