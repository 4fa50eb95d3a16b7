-- construct: late rows: dead_letter
-- oracle: none
-- A dropped row is counted as late, not as failed, and goes to the dead-letter topic with the reason.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, 10s) WITH ('late.data' = 'dead_letter');

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
-- out j.dlq:
--| {"job": "j", "topic": "trades", "partition": 0, "offset": 4, "reason": "late: event time 2024-01-01 00:00:04 is 8 s behind the watermark 2024-01-01 00:00:12", "path": "window", "raw": "{\"qty\": 16, \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:20", "qty": 8}
-- late j: 1
