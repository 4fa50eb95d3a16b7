-- construct: OVER without ORDER BY
-- A partition that never ends has a running value in event-time order; EXPLAIN says so.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY k) AS s, ROW_NUMBER() OVER () AS n FROM t;

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
--| {"k": "b", "x": null, "s": null, "n": 1}
--| {"k": "a", "x": 3, "s": 3, "n": 2}
--| {"k": "a", "x": 1, "s": 4, "n": 3}
--| {"k": "a", "x": 2, "s": 6, "n": 4}
--| {"k": "b", "x": 7, "s": 7, "n": 5}
--| {"k": "a", "x": null, "s": 6, "n": 6}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 5, "s": 11, "n": 7}

-- final
-- out j:
--| {"k": "b", "x": 4, "s": 11, "n": 8}
--| {"k": "a", "x": 6, "s": 17, "n": 9}

-- oracle:
--| SELECT k, x, SUM(x) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS UNBOUNDED PRECEDING) AS s, ROW_NUMBER() OVER
--| (ORDER BY __ts, __pos) AS n FROM t
