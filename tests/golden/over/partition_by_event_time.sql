-- construct: OVER partitions that end
-- All rows of one event time are there once the watermark is past it: any window function is exact.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, x / SUM(x) OVER (PARTITION BY timestamp) AS share, NTILE(2) OVER (PARTITION BY timestamp
ORDER BY x) AS half, PERCENT_RANK() OVER (PARTITION BY timestamp ORDER BY x) AS p FROM t;

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
--| {"k": "b", "x": null, "share": null, "half": 2, "p": 1.0}
--| {"k": "a", "x": 3, "share": 1.0, "half": 1, "p": 0.0}
--| {"k": "a", "x": 1, "share": 0.3333333333, "half": 1, "p": 0.0}
--| {"k": "a", "x": 2, "share": 0.6666666667, "half": 2, "p": 1.0}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "share": 1.0, "half": 1, "p": 0.0}
--| {"k": "a", "x": null, "share": null, "half": 2, "p": 1.0}
--| {"k": "a", "x": 5, "share": 1.0, "half": 1, "p": 0.0}

-- final
-- out j:
--| {"k": "b", "x": 4, "share": 0.4, "half": 1, "p": 0.0}
--| {"k": "a", "x": 6, "share": 0.6, "half": 2, "p": 1.0}

-- oracle:
--| SELECT k, x, x / SUM(x) OVER (PARTITION BY timestamp) AS share, NTILE(2) OVER (PARTITION BY timestamp ORDER BY x,
--| __ts, __pos) AS half, PERCENT_RANK() OVER (PARTITION BY timestamp ORDER BY x) AS p FROM t
