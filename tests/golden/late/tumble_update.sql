-- construct: late rows: update
-- oracle: none
-- A window is emitted when it closes, and again when a late row changes it, for 'late.within' after its end.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, 10s) WITH ('late.data' = 'update', 'late.within' = '5s');

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
--| {"op": "upsert", "window_end": "2024-01-01 00:00:10", "qty": 7}

-- step: after the end: the window is emitted again
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "upsert", "window_end": "2024-01-01 00:00:10", "qty": 23}

-- step: so long after its end that nothing is kept
-- in trades:
--| {"symbol": "A", "qty": 64, "price": 64.0, "timestamp": "2024-01-01 00:00:40"}
--| {"symbol": "A", "qty": 128, "price": 128.0, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "upsert", "window_end": "2024-01-01 00:00:20", "qty": 8}

-- final
-- out j:
--| {"op": "upsert", "window_end": "2024-01-01 00:00:50", "qty": 64}
-- late j: 1
