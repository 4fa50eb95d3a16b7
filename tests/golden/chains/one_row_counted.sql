-- construct: changelog through a topic
-- A state of one row has no key; whoever reads it sees that row alone. Rows of a bag can be counted without a column.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB total AS SELECT SUM(qty) AS qty FROM trades;
START JOB doubled AS SELECT qty * 2 AS qty FROM total;
START JOB rows_of_one AS SELECT COUNT(*) AS n FROM total;
START JOB parity AS SELECT COUNT(*) % 2 AS odd FROM trades GROUP BY symbol WITH ('changelog' = 'retract');
START JOB rows_of_bag AS SELECT COUNT(*) AS n FROM parity;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
-- out total:
--| {"op": "upsert", "qty": 10}
-- out doubled:
--| {"op": "upsert", "qty": 20}
-- out rows_of_one:
--| {"op": "upsert", "n": 1}
-- out parity:
--| {"op": "insert", "odd": 1}
--| {"op": "insert", "odd": 1}
-- out rows_of_bag:
--| {"op": "upsert", "n": 2}

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:02"}
-- query SELECT * FROM total
--| {"qty": 11}
-- out total:
--| {"op": "upsert", "qty": 11}
-- out doubled:
--| {"op": "upsert", "qty": 22}
-- out parity:
--| {"op": "delete", "odd": 1}
--| {"op": "insert", "odd": 0}
