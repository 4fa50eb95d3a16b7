-- construct: late rows: update
-- oracle: none
-- A window is emitted when it closes, and again when a late row changes it, for 'late.within' after its end.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY SESSION(timestamp, 4s) WITH ('late.data' = 'update', 'late.within' = '5s');

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}

-- step: behind the watermark: joins the session that is open
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:02"}

-- step: the first session is over
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"op": "upsert", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:07", "qty": 7}

-- step: it joins both sessions: what was emitted is none any more
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "delete", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:07", "qty": 7}

-- step: within the session that goes on
-- in trades:
--| {"symbol": "A", "qty": 32, "price": 32.0, "timestamp": "2024-01-01 00:00:05"}

-- step: so long after its end that nothing is kept
-- in trades:
--| {"symbol": "A", "qty": 64, "price": 64.0, "timestamp": "2024-01-01 00:00:40"}
--| {"symbol": "A", "qty": 128, "price": 128.0, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "upsert", "window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:13", "qty": 63}

-- final
-- out j:
--| {"op": "upsert", "window_start": "2024-01-01 00:00:40", "window_end": "2024-01-01 00:00:44", "qty": 64}
-- late j: 1
