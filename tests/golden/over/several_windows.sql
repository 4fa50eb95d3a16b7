-- construct: several windows in one SELECT
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LAG(x) OVER w AS before, SUM(x) OVER (ORDER BY timestamp) AS total, LEAD(x) OVER (ORDER BY
timestamp) AS later, RANK() OVER (PARTITION BY timestamp ORDER BY x) AS r FROM t WHERE x IS NOT NULL WINDOW w AS
(PARTITION BY k ORDER BY timestamp);

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
--| {"k": "a", "x": 3, "before": null, "total": 3, "later": 1, "r": 1}
--| {"k": "a", "x": 1, "before": 3, "total": 6, "later": 2, "r": 1}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 2, "before": 1, "total": 6, "later": 7, "r": 2}
--| {"k": "b", "x": 7, "before": null, "total": 13, "later": 5, "r": 1}

-- final
-- out j:
--| {"k": "a", "x": 5, "before": 2, "total": 18, "later": 4, "r": 1}
--| {"k": "b", "x": 4, "before": 7, "total": 28, "later": 6, "r": 1}
--| {"k": "a", "x": 6, "before": 5, "total": 28, "later": null, "r": 2}

-- oracle:
--| SELECT k, x, LAG(x) OVER w AS before, SUM(x) OVER (ORDER BY timestamp) AS total, LEAD(x) OVER (ORDER BY __ts,
--| __pos) AS later, RANK() OVER (PARTITION BY timestamp ORDER BY x) AS r FROM t WHERE x IS NOT NULL WINDOW w AS
--| (PARTITION BY k ORDER BY __ts, __pos)
