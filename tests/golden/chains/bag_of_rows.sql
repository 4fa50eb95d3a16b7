-- construct: changelog through a topic
-- 'changelog' = 'retract': equal rows come and go one by one, and the reader counts them as they are.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB parity AS SELECT COUNT(*) % 2 AS odd FROM trades GROUP BY symbol WITH ('changelog' = 'retract');
START JOB tally AS SELECT odd, COUNT(*) AS symbols FROM parity GROUP BY odd;

-- step: two symbols, both odd
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
-- out parity:
--| {"op": "insert", "odd": 1}
--| {"op": "insert", "odd": 1}
-- out tally:
--| {"op": "upsert", "odd": 1, "symbols": 2}

-- step: one of the equal rows goes
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:02"}
-- out parity:
--| {"op": "delete", "odd": 1}
--| {"op": "insert", "odd": 0}
-- out tally:
--| {"op": "upsert", "odd": 1, "symbols": 1}
--| {"op": "upsert", "odd": 0, "symbols": 1}

-- step: the other one, and the group of odd symbols is empty
-- in trades:
--| {"symbol": "B", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- query SELECT odd FROM parity
--| {"odd": 0}
--| {"odd": 0}
-- out parity:
--| {"op": "delete", "odd": 1}
--| {"op": "insert", "odd": 0}
-- out tally:
--| {"op": "delete", "odd": 1, "symbols": 1}
--| {"op": "upsert", "odd": 0, "symbols": 2}
