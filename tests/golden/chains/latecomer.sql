-- construct: job chain by topic
-- A job that is started later reads what is there, and is then in step with the others.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM trades GROUP BY symbol;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 2}
--| {"op": "upsert", "symbol": "A", "qty": 6}

-- step: it says what stands now, and nothing of how it came to be
START JOB total AS SELECT SUM(qty) AS qty FROM sums;
-- out total:
--| {"op": "upsert", "qty": 8}

-- step: from here on in the same tick
-- in trades:
--| {"symbol": "B", "qty": 3, "timestamp": "2024-01-01 00:00:04"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 5}
-- out total:
--| {"op": "upsert", "qty": 11}
