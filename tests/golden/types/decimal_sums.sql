-- construct: types: DECIMAL
CREATE STREAM t (k VARCHAR, x DECIMAL(18,2), timestamp TIMESTAMP);
START JOB j AS SELECT k, SUM(x) AS s, AVG(x) AS a FROM t GROUP BY k;

-- step
-- in t:
--| {"k": "a", "x": 0.10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 0.20, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "x": 10.005, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "k": "a", "s": 0.30, "a": 0.15}
--| {"op": "upsert", "k": "b", "s": 10.01, "a": 10.01}

-- step
-- in t:
--| {"k": "a", "x": -0.30, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "upsert", "k": "a", "s": 0.00, "a": 0.0}
