-- construct: changelog through a topic
-- A sum over another job's sums sees each group's old row go and its new one come.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM trades GROUP BY symbol;
START JOB spread AS SELECT MAX(qty) - MIN(qty) AS spread, COUNT(*) AS symbols FROM sums;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
-- out sums:
--| {"op": "upsert", "symbol": "A", "qty": 5}
-- out spread:
--| {"op": "upsert", "spread": 0, "symbols": 1}

-- step: a second symbol
-- in trades:
--| {"symbol": "B", "qty": 2, "timestamp": "2024-01-01 00:00:02"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 2}
-- out spread:
--| {"op": "upsert", "spread": 3, "symbols": 2}

-- step: they change places
-- in trades:
--| {"symbol": "B", "qty": 9, "timestamp": "2024-01-01 00:00:03"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 11}
-- out spread:
--| {"op": "upsert", "spread": 6, "symbols": 2}

-- step: sums change, their spread does not
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": "B", "qty": 1, "timestamp": "2024-01-01 00:00:04"}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 12}
--| {"op": "upsert", "symbol": "A", "qty": 6}
