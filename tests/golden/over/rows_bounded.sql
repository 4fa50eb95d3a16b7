-- construct: OVER with ROWS
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)
AS near, COUNT(x) OVER (ORDER BY timestamp ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) AS ahead, MAX(x) OVER (PARTITION
BY k ORDER BY timestamp ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING) AS back FROM t;

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
--| {"k": "b", "x": null, "near": 7, "ahead": 2, "back": null}
--| {"k": "a", "x": 3, "near": 4, "ahead": 2, "back": null}
--| {"k": "a", "x": 1, "near": 6, "ahead": 1, "back": null}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 2, "near": 3, "ahead": 1, "back": 3}

-- final
-- out j:
--| {"k": "b", "x": 7, "near": 11, "ahead": 2, "back": null}
--| {"k": "a", "x": null, "near": 7, "ahead": 2, "back": 3}
--| {"k": "a", "x": 5, "near": 11, "ahead": 1, "back": 2}
--| {"k": "b", "x": 4, "near": 11, "ahead": 0, "back": null}
--| {"k": "a", "x": 6, "near": 11, "ahead": 0, "back": 2}

-- oracle:
--| SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near,
--| COUNT(x) OVER (ORDER BY __ts, __pos ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) AS ahead, MAX(x) OVER (PARTITION BY
--| k ORDER BY __ts, __pos ROWS BETWEEN 3 PRECEDING AND 2 PRECEDING) AS back FROM t
