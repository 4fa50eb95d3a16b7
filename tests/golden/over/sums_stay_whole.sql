-- construct: OVER with RANGE
-- A sum of integers is a whole number on its way from one step to the next, too.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp) // 2 AS half, SUM(x) OVER (PARTITION BY k
ORDER BY timestamp RANGE INTERVAL 1 SECOND PRECEDING) % 4 AS rest FROM t;

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
--| {"k": "b", "x": null, "half": null, "rest": null}
--| {"k": "a", "x": 3, "half": 1, "rest": 3}
--| {"k": "a", "x": 1, "half": 3, "rest": 2}
--| {"k": "a", "x": 2, "half": 3, "rest": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "half": 3, "rest": 3}
--| {"k": "a", "x": null, "half": 3, "rest": 3}
--| {"k": "a", "x": 5, "half": 5, "rest": 1}

-- final
-- out j:
--| {"k": "b", "x": 4, "half": 5, "rest": 0}
--| {"k": "a", "x": 6, "half": 8, "rest": 2}
