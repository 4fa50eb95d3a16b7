-- construct: OVER with RANGE
-- Rows of one event time are peers: each counts the others.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp RANGE BETWEEN INTERVAL 1 SECOND PRECEDING
AND CURRENT ROW) AS s, COUNT(*) OVER (ORDER BY timestamp RANGE BETWEEN INTERVAL 3 SECOND PRECEDING AND INTERVAL 1
SECOND PRECEDING) AS n FROM t;

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
--| {"k": "b", "x": null, "s": null, "n": 0}
--| {"k": "a", "x": 3, "s": 3, "n": 0}
--| {"k": "a", "x": 1, "s": 6, "n": 0}
--| {"k": "a", "x": 2, "s": 6, "n": 0}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "s": 7, "n": 4}
--| {"k": "a", "x": null, "s": 3, "n": 4}
--| {"k": "a", "x": 5, "s": 5, "n": 6}

-- final
-- out j:
--| {"k": "b", "x": 4, "s": 4, "n": 1}
--| {"k": "a", "x": 6, "s": 6, "n": 1}
