-- construct: late rows: dead_letter
-- oracle: none
-- OVER goes by event time: what is behind the watermark has no place in it.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT qty, LAG(qty) OVER (ORDER BY timestamp) AS before FROM trades WITH ('late.data' = 'dead_letter');

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"qty": 1, "before": null}
--| {"qty": 2, "before": 1}

-- step: behind the watermark
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:02"}
-- out j.dlq:
--| {"job": "j", "topic": "trades", "partition": 0, "offset": 2, "reason": "late: event time 2024-01-01 00:00:02 is 1 s behind the watermark 2024-01-01 00:00:03", "path": "order", "raw": "{\"qty\": 4, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"qty": 8, "before": 2}

-- final
-- late j: 1
