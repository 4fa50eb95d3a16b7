-- construct: OVER with ROWS
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING
EXCLUDE CURRENT ROW) AS others, COUNT(*) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND
CURRENT ROW EXCLUDE CURRENT ROW) AS earlier FROM t;

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
--| {"k": "b", "x": null, "others": 7, "earlier": 0}
--| {"k": "a", "x": 3, "others": 1, "earlier": 0}
--| {"k": "a", "x": 1, "others": 5, "earlier": 1}
--| {"k": "a", "x": 2, "others": 1, "earlier": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": null, "others": 7, "earlier": 3}

-- final
-- out j:
--| {"k": "b", "x": 7, "others": 4, "earlier": 1}
--| {"k": "a", "x": 5, "others": 6, "earlier": 4}
--| {"k": "b", "x": 4, "others": 7, "earlier": 2}
--| {"k": "a", "x": 6, "others": 5, "earlier": 5}

-- oracle:
--| SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE
--| CURRENT ROW) AS others, COUNT(*) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS BETWEEN UNBOUNDED PRECEDING AND
--| CURRENT ROW EXCLUDE CURRENT ROW) AS earlier FROM t
