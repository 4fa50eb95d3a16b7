-- construct: OVER with RANGE
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY epoch_ms(timestamp) RANGE BETWEEN 1500 PRECEDING AND
CURRENT ROW) AS ms, COUNT(*) OVER (ORDER BY epoch(timestamp) RANGE 2 PRECEDING) AS s FROM t;

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
--| {"k": "b", "x": null, "ms": null, "s": 2}
--| {"k": "a", "x": 3, "ms": 3, "s": 2}
--| {"k": "a", "x": 1, "ms": 6, "s": 4}
--| {"k": "a", "x": 2, "ms": 6, "s": 4}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "ms": 7, "s": 6}
--| {"k": "a", "x": null, "ms": 6, "s": 6}
--| {"k": "a", "x": 5, "ms": 5, "s": 5}

-- final
-- out j:
--| {"k": "b", "x": 4, "ms": 4, "s": 2}
--| {"k": "a", "x": 6, "ms": 6, "s": 2}
