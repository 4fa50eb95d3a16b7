-- construct: several windows in one SELECT
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, x - LAG(x) OVER (PARTITION BY k ORDER BY timestamp) AS move FROM t QUALIFY move > 0 OR
LEAD(x) OVER (PARTITION BY k ORDER BY timestamp) IS NULL;

-- step: ties and disorder
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "x": null, "timestamp": "2024-01-01 00:00:00.5"}
--| {"k": "a", "x": 3, "timestamp": "2024-01-01 00:00:00.5"}

-- step: NULLs
-- in t:
--| {"k": "b", "x": 7, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "x": null, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"k": "a", "x": 2, "move": 1}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}

-- final
-- out j:
--| {"k": "b", "x": 4, "move": -3}
--| {"k": "a", "x": 6, "move": 1}

-- oracle:
--| SELECT k, x, x - LAG(x) OVER (PARTITION BY k ORDER BY __ts, __pos) AS move FROM t QUALIFY move > 0 OR LEAD(x) OVER
--| (PARTITION BY k ORDER BY __ts, __pos) IS NULL
