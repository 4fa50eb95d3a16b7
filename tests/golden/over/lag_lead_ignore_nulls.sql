-- construct: IGNORE NULLS
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LAG(x IGNORE NULLS) OVER (PARTITION BY k ORDER BY timestamp) AS before, LEAD(x, 1, 0
IGNORE NULLS) OVER (PARTITION BY k ORDER BY timestamp) AS later FROM t;

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
--| {"k": "b", "x": null, "before": null, "later": 7}
--| {"k": "a", "x": 3, "before": null, "later": 1}
--| {"k": "a", "x": 1, "before": 3, "later": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 2, "before": 1, "later": 5}
--| {"k": "a", "x": null, "before": 2, "later": 5}

-- final
-- out j:
--| {"k": "b", "x": 7, "before": null, "later": 4}
--| {"k": "a", "x": 5, "before": 2, "later": 6}
--| {"k": "b", "x": 4, "before": 7, "later": 0}
--| {"k": "a", "x": 6, "before": 5, "later": 0}

-- oracle:
--| SELECT k, x, LAG(x IGNORE NULLS) OVER (PARTITION BY k ORDER BY __ts, __pos) AS before, LEAD(x, 1, 0 IGNORE NULLS)
--| OVER (PARTITION BY k ORDER BY __ts, __pos) AS later FROM t
