-- construct: FIRST_VALUE, LAST_VALUE, NTH_VALUE
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY timestamp ROWS 1 PRECEDING) AS f,
LAST_VALUE(x) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS l, NTH_VALUE(x, 2)
OVER (PARTITION BY k ORDER BY timestamp ROWS 2 PRECEDING) AS n FROM t;

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
--| {"k": "b", "x": null, "f": null, "l": 7, "n": null}
--| {"k": "a", "x": 3, "f": 3, "l": 1, "n": null}
--| {"k": "a", "x": 1, "f": 3, "l": 2, "n": 1}
--| {"k": "a", "x": 2, "f": 1, "l": null, "n": 1}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": null, "f": 2, "l": 5, "n": 2}

-- final
-- out j:
--| {"k": "b", "x": 7, "f": null, "l": 4, "n": 7}
--| {"k": "a", "x": 5, "f": null, "l": 6, "n": null}
--| {"k": "b", "x": 4, "f": 7, "l": 4, "n": 7}
--| {"k": "a", "x": 6, "f": 5, "l": 6, "n": 5}

-- oracle:
--| SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS 1 PRECEDING) AS f, LAST_VALUE(x) OVER
--| (PARTITION BY k ORDER BY __ts, __pos ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS l, NTH_VALUE(x, 2) OVER
--| (PARTITION BY k ORDER BY __ts, __pos ROWS 2 PRECEDING) AS n FROM t
