-- construct: OVER with ROWS
-- Newest first, a bounded frame looks ahead and waits.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LAG(x) OVER (PARTITION BY k ORDER BY timestamp DESC) AS later, SUM(x) OVER (PARTITION BY k
ORDER BY timestamp DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t;

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
--| {"k": "b", "x": null, "later": 7, "s": 7}
--| {"k": "a", "x": 3, "later": 1, "s": 4}
--| {"k": "a", "x": 1, "later": 2, "s": 3}
--| {"k": "a", "x": 2, "later": null, "s": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": null, "later": 5, "s": 5}

-- final
-- out j:
--| {"k": "b", "x": 7, "later": 4, "s": 11}
--| {"k": "a", "x": 5, "later": 6, "s": 11}
--| {"k": "b", "x": 4, "later": null, "s": 4}
--| {"k": "a", "x": 6, "later": null, "s": 6}

-- oracle:
--| SELECT k, x, LAG(x) OVER (PARTITION BY k ORDER BY __ts DESC, __pos DESC) AS later, SUM(x) OVER (PARTITION BY k
--| ORDER BY __ts DESC, __pos DESC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM t
