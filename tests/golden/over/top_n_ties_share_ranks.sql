-- construct: Top-N
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, RANK() OVER (PARTITION BY k ORDER BY x DESC) AS r FROM t QUALIFY r < 2;

-- step
-- in t:
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "insert", "k": "a", "x": 5, "r": 1}
--| {"op": "insert", "k": "a", "x": 5, "r": 1}

-- step
-- in t:
--| {"k": "a", "x": 9, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "k": "a", "x": 5, "r": 1}
--| {"op": "delete", "k": "a", "x": 5, "r": 1}
--| {"op": "insert", "k": "a", "x": 9, "r": 1}

-- final
