-- construct: OVER with GROUPS
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING)
AS near, COUNT(*) OVER (ORDER BY timestamp GROUPS 1 PRECEDING) AS n FROM t;

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
--| {"k": "a", "x": 3, "near": 6, "n": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": null, "near": 7, "n": 2}
--| {"k": "a", "x": 1, "near": 6, "n": 4}
--| {"k": "a", "x": 2, "near": 6, "n": 4}
--| {"k": "a", "x": null, "near": 8, "n": 4}

-- final
-- out j:
--| {"k": "b", "x": 7, "near": 11, "n": 4}
--| {"k": "a", "x": 5, "near": 11, "n": 3}
--| {"k": "b", "x": 4, "near": 11, "n": 3}
--| {"k": "a", "x": 6, "near": 11, "n": 3}
