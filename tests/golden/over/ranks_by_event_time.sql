-- construct: ranks
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp) AS n, RANK() OVER (PARTITION BY k
ORDER BY timestamp) AS r, DENSE_RANK() OVER (ORDER BY timestamp) AS d FROM t;

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
--| {"k": "b", "x": null, "n": 1, "r": 1, "d": 1}
--| {"k": "a", "x": 3, "n": 1, "r": 1, "d": 1}
--| {"k": "a", "x": 1, "n": 2, "r": 2, "d": 2}
--| {"k": "a", "x": 2, "n": 3, "r": 2, "d": 2}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "n": 2, "r": 2, "d": 3}
--| {"k": "a", "x": null, "n": 4, "r": 4, "d": 3}
--| {"k": "a", "x": 5, "n": 5, "r": 5, "d": 4}

-- final
-- out j:
--| {"k": "b", "x": 4, "n": 3, "r": 3, "d": 5}
--| {"k": "a", "x": 6, "n": 6, "r": 6, "d": 5}

-- oracle:
--| SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY __ts, __pos) AS n, RANK() OVER (PARTITION BY k ORDER BY
--| timestamp) AS r, DENSE_RANK() OVER (ORDER BY timestamp) AS d FROM t
