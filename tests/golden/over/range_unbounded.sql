-- construct: OVER with RANGE
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp) AS s, MAX(x) OVER (PARTITION BY k ORDER BY
timestamp RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 2 SECOND PRECEDING) AS before, MIN(x) OVER (PARTITION BY k
ORDER BY timestamp RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 SECOND FOLLOWING) AS low FROM t;

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
--| {"k": "b", "x": null, "s": null, "before": null, "low": null}
--| {"k": "a", "x": 3, "s": 3, "before": null, "low": 1}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 1, "s": 6, "before": null, "low": 1}
--| {"k": "a", "x": 2, "s": 6, "before": null, "low": 1}
--| {"k": "b", "x": 7, "s": 7, "before": null, "low": 7}
--| {"k": "a", "x": null, "s": 6, "before": null, "low": 1}
--| {"k": "a", "x": 5, "s": 11, "before": 3, "low": 1}

-- final
-- out j:
--| {"k": "b", "x": 4, "s": 11, "before": 7, "low": 4}
--| {"k": "a", "x": 6, "s": 17, "before": 5, "low": 1}
