-- construct: job chain by topic
-- A record that is none is rejected where it is read, and never reaches the jobs below.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB good AS SELECT symbol, qty, timestamp FROM trades;
START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM good GROUP BY symbol;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": "many", "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:00:03"}
-- out good:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:00:03"}
-- out good.dlq:
--| {"job": "good", "topic": "trades", "partition": 0, "offset": 1, "reason": "expected a whole number at qty, got 'many'", "path": "qty", "raw": "{\"symbol\": \"A\", \"qty\": \"many\", \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}
-- out sums:
--| {"op": "upsert", "symbol": "A", "qty": 7}
