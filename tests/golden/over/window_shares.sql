-- construct: OVER partitions that end
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, window_start, v / SUM(v) OVER (PARTITION BY window_start) AS share, v - LAG(v) OVER
(PARTITION BY k ORDER BY window_end) AS change FROM (SELECT k, window_start, window_end, SUM(x) AS v FROM t GROUP BY
k, TUMBLE(timestamp, INTERVAL '2' SECOND));

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
--| {"k": "a", "window_start": "2024-01-01 00:00:00", "share": 1.0, "change": null}
--| {"k": "b", "window_start": "2024-01-01 00:00:00", "share": null, "change": null}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "window_start": "2024-01-01 00:00:02", "share": 0.4166666667, "change": -1}
--| {"k": "b", "window_start": "2024-01-01 00:00:02", "share": 0.5833333333, "change": null}

-- final
-- out j:
--| {"k": "a", "window_start": "2024-01-01 00:00:06", "share": 0.6, "change": 1}
--| {"k": "b", "window_start": "2024-01-01 00:00:06", "share": 0.4, "change": -3}

-- oracle:
--| SELECT k, window_start, v / SUM(v) OVER (PARTITION BY window_start) AS share, v - LAG(v) OVER (PARTITION BY k
--| ORDER BY window_end) AS change FROM (SELECT k, time_bucket(INTERVAL 2 SECOND, timestamp, TIMESTAMP '1970-01-01')
--| AS window_start, window_start + INTERVAL 2 SECOND AS window_end, SUM(x) AS v FROM t GROUP BY 1, 2)
