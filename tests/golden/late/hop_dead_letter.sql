-- construct: late rows: dead_letter
-- oracle: none
-- A dropped row is counted as late, not as failed, and goes to the dead-letter topic with the reason.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_start, window_end, SUM(qty) AS qty FROM trades GROUP BY HOP(timestamp, 5s, 10s) WITH ('late.data' = 'dead_letter');

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:05", "qty": 1}

-- step: at 4 s: the window that ends at 5 s has closed, the one that ends at 10 s has not
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:04"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:12"}
-- out j:
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 7}

-- step: at 3 s: both have closed
-- in trades:
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-01-01 00:00:03"}
-- out j.dlq:
--| {"job": "j", "topic": "trades", "partition": 0, "offset": 4, "reason": "late: event time 2024-01-01 00:00:03 is 9 s behind the watermark 2024-01-01 00:00:12", "path": "window", "raw": "{\"qty\": 16, \"timestamp\": \"2024-01-01 00:00:03\"}", "encoding": "utf-8"}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:15", "qty": 10}
--| {"window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 8}
-- late j: 1
