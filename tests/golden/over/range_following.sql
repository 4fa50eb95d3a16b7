-- construct: OVER with RANGE
-- A row at 1 s is given once the watermark is past 3 s.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, COUNT(*) OVER (ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 2 SECOND
FOLLOWING) AS n FROM t;

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

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": null, "n": 6}
--| {"k": "a", "x": 3, "n": 6}
--| {"k": "a", "x": 1, "n": 5}
--| {"k": "a", "x": 2, "n": 5}
--| {"k": "b", "x": 7, "n": 3}
--| {"k": "a", "x": null, "n": 3}

-- final
-- out j:
--| {"k": "a", "x": 5, "n": 1}
--| {"k": "b", "x": 4, "n": 2}
--| {"k": "a", "x": 6, "n": 2}
