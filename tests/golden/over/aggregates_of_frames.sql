-- construct: aggregates in frames
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, COUNT(DISTINCT x) OVER w AS d, LIST(x) FILTER (WHERE x > 1) OVER w AS l, MEDIAN(x) OVER w
AS m, STRING_AGG(k, '-') OVER w AS s FROM t WINDOW w AS (ORDER BY timestamp ROWS 3 PRECEDING);

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
--| {"k": "b", "x": null, "d": 0, "l": null, "m": null, "s": "b"}
--| {"k": "a", "x": 3, "d": 1, "l": [3], "m": 3.0, "s": "b-a"}
--| {"k": "a", "x": 1, "d": 2, "l": [3], "m": 2.0, "s": "b-a-a"}
--| {"k": "a", "x": 2, "d": 3, "l": [3, 2], "m": 2.0, "s": "b-a-a-a"}
--| {"k": "b", "x": 7, "d": 4, "l": [3, 2, 7], "m": 2.5, "s": "a-a-a-b"}
--| {"k": "a", "x": null, "d": 3, "l": [2, 7], "m": 2.0, "s": "a-a-b-a"}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 5, "d": 3, "l": [2, 7, 5], "m": 5.0, "s": "a-b-a-a"}

-- final
-- out j:
--| {"k": "b", "x": 4, "d": 3, "l": [7, 5, 4], "m": 5.0, "s": "b-a-a-b"}
--| {"k": "a", "x": 6, "d": 3, "l": [5, 4, 6], "m": 5.0, "s": "a-a-b-a"}

-- oracle:
--| SELECT k, x, COUNT(DISTINCT x) OVER w AS d, LIST(x) FILTER (WHERE x > 1) OVER w AS l, MEDIAN(x) OVER w AS m,
--| STRING_AGG(k, '-') OVER w AS s FROM t WINDOW w AS (ORDER BY __ts, __pos ROWS 3 PRECEDING)
