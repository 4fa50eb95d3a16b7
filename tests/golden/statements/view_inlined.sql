-- construct: CREATE VIEW
-- Views over views, read by a job and by a query; the job keeps its plan when they are replaced and dropped.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE VIEW big AS SELECT * FROM trades WHERE qty > 10;
CREATE VIEW per_symbol (symbol, total) AS SELECT symbol, sum(qty) FROM big GROUP BY symbol;
START JOB totals AS SELECT * FROM per_symbol WHERE total > 0;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:00"}
--| {"symbol": "A", "qty": 50, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
-- query SELECT * FROM per_symbol ORDER BY symbol
--| {"symbol": "A", "total": 50}
--| {"symbol": "B", "total": 20}
-- query WITH big AS (SELECT 'mine' AS x) SELECT x, sum(total) AS total FROM big, per_symbol GROUP BY x
--| {"x": "mine", "total": 70}
-- out totals:
--| {"op": "upsert", "symbol": "B", "total": 20}
--| {"op": "upsert", "symbol": "A", "total": 50}

-- step
DROP VIEW per_symbol;
CREATE OR REPLACE VIEW big AS SELECT * FROM trades WHERE qty > 1000;
-- in trades:
--| {"symbol": "A", "qty": 30, "timestamp": "2024-01-01 00:00:03"}
-- query SELECT * FROM big
-- out totals:
--| {"op": "upsert", "symbol": "A", "total": 80}

-- oracle:
--| SELECT symbol, sum(qty) AS total FROM trades WHERE qty > 10 GROUP BY symbol
