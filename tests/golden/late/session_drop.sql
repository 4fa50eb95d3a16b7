-- construct: late rows: drop
-- oracle: none
-- A late row is dropped when ts + gap <= watermark; it never joins a session that is over.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY SESSION(timestamp, 4s);

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
--| {"window_start": "2024-01-01 00:00:01", "window_end": "2024-01-01 00:00:07", "qty": 7}

-- step: the session at 6 s was none of those that are over; it reaches the one at 9 s
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:06"}

-- step: a session of its own would be over
-- in trades:
--| {"symbol": "A", "qty": 32, "price": 32.0, "timestamp": "2024-01-01 00:00:05"}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:06", "window_end": "2024-01-01 00:00:13", "qty": 24}
-- late j: 1
