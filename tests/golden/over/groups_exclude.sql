-- construct: OVER with GROUPS
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY timestamp GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW
EXCLUDE GROUP) AS g, COUNT(*) OVER (PARTITION BY k ORDER BY timestamp GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING
EXCLUDE TIES) AS t, COUNT(*) OVER (PARTITION BY k ORDER BY timestamp RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
EXCLUDE GROUP) AS earlier FROM t;

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
--| {"k": "a", "x": 3, "g": null, "t": 3, "earlier": 0}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": null, "g": null, "t": 2, "earlier": 0}
--| {"k": "a", "x": 1, "g": 3, "t": 3, "earlier": 1}
--| {"k": "a", "x": 2, "g": 3, "t": 3, "earlier": 1}
--| {"k": "a", "x": null, "g": 3, "t": 4, "earlier": 3}

-- final
-- out j:
--| {"k": "b", "x": 7, "g": null, "t": 3, "earlier": 1}
--| {"k": "a", "x": 5, "g": null, "t": 3, "earlier": 4}
--| {"k": "b", "x": 4, "g": 7, "t": 2, "earlier": 2}
--| {"k": "a", "x": 6, "g": 5, "t": 2, "earlier": 5}
