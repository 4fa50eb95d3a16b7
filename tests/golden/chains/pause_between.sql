-- construct: job chain by topic
-- What a paused link has missed comes when it goes on, as one change.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM trades GROUP BY symbol;
START JOB total AS SELECT SUM(qty) AS qty FROM sums;
START JOB doubled AS SELECT qty * 2 AS qty FROM total;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
-- out sums:
--| {"op": "upsert", "symbol": "A", "qty": 5}
-- out total:
--| {"op": "upsert", "qty": 5}
-- out doubled:
--| {"op": "upsert", "qty": 10}

-- step: only the first job goes on
PAUSE JOB total;
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "B", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 1}
--| {"op": "upsert", "symbol": "A", "qty": 6}

-- step
RESUME JOB total;
-- out total:
--| {"op": "upsert", "qty": 7}
-- out doubled:
--| {"op": "upsert", "qty": 14}
