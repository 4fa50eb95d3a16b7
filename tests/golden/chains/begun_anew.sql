-- construct: changelog through a topic
-- A state that begins anew says only what is different from what its topic has: nothing, here.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB sums AS SELECT SUM(qty) AS qty FROM trades GROUP BY symbol WITH ('changelog' = 'retract');
START JOB total AS SELECT SUM(qty) AS qty, COUNT(*) AS n FROM sums;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 5, "timestamp": "2024-01-01 00:00:02"}
-- out sums:
--| {"op": "insert", "qty": 5}
--| {"op": "insert", "qty": 5}
-- out total:
--| {"op": "upsert", "qty": 10, "n": 2}

-- step: nothing
RESTART JOB sums;
-- query SELECT qty FROM sums
--| {"qty": 5}
--| {"qty": 5}

-- step: it has its state again
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- query SELECT qty FROM sums ORDER BY qty
--| {"qty": 5}
--| {"qty": 6}
-- out sums:
--| {"op": "delete", "qty": 5}
--| {"op": "insert", "qty": 6}
-- out total:
--| {"op": "upsert", "qty": 11, "n": 2}
