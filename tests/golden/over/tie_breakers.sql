-- construct: ranks
-- Rows of one event time wait for each other, then follow x.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp, x DESC) AS n, LAG(x) OVER (PARTITION
BY k ORDER BY timestamp, x) AS before, SUM(x) OVER (PARTITION BY k ORDER BY timestamp, x) AS s FROM t;

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
--| {"k": "b", "x": null, "n": 1, "before": null, "s": null}
--| {"k": "a", "x": 3, "n": 1, "before": null, "s": 3}
--| {"k": "a", "x": 1, "n": 3, "before": 3, "s": 4}
--| {"k": "a", "x": 2, "n": 2, "before": 1, "s": 6}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "n": 2, "before": null, "s": 7}
--| {"k": "a", "x": null, "n": 4, "before": 2, "s": 6}
--| {"k": "a", "x": 5, "n": 5, "before": null, "s": 11}

-- final
-- out j:
--| {"k": "b", "x": 4, "n": 3, "before": 7, "s": 11}
--| {"k": "a", "x": 6, "n": 6, "before": 5, "s": 17}

-- oracle:
--| SELECT k, x, ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp, x DESC, __ts, __pos) AS n, LAG(x) OVER
--| (PARTITION BY k ORDER BY timestamp, x, __ts, __pos) AS before, SUM(x) OVER (PARTITION BY k ORDER BY timestamp, x)
--| AS s FROM t
