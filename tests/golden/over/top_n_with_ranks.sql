-- construct: Top-N
-- A changelog keyed by key and rank.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x DESC) AS rn FROM t QUALIFY rn <= 2;

-- step
-- in t:
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 9, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "x": 3, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "k": "a", "x": 9, "rn": 1}
--| {"op": "upsert", "k": "a", "x": 5, "rn": 2}
--| {"op": "upsert", "k": "b", "x": 3, "rn": 1}

-- step: a third row
-- in t:
--| {"k": "a", "x": 7, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "k": "a", "x": 7, "rn": 2}

-- step: lesser values
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:04"}
--| {"k": "b", "x": 1, "timestamp": "2024-01-01 00:00:03.5"}
-- out j:
--| {"op": "upsert", "k": "b", "x": 1, "rn": 2}

-- final

-- oracle:
--| SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY x DESC, __ts, __pos) AS rn FROM t QUALIFY rn <= 2
