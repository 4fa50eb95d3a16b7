-- construct: OVER partitions that end
-- Append-only: a window that has closed changes no more.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, window_end, v, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY v DESC, k) AS r FROM
(SELECT k, window_start, window_end, SUM(x) AS v FROM t GROUP BY k, TUMBLE(timestamp, INTERVAL '2' SECOND)) QUALIFY r
= 1;

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
--| {"k": "a", "window_end": "2024-01-01 00:00:02", "v": 6, "r": 1}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "window_end": "2024-01-01 00:00:04", "v": 7, "r": 1}

-- final
-- out j:
--| {"k": "a", "window_end": "2024-01-01 00:00:08", "v": 6, "r": 1}

-- oracle:
--| SELECT k, window_end, v, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY v DESC, k) AS r FROM (SELECT k,
--| time_bucket(INTERVAL 2 SECOND, timestamp, TIMESTAMP '1970-01-01') AS window_start, window_start + INTERVAL 2
--| SECOND AS window_end, SUM(x) AS v FROM t GROUP BY 1, 2) QUALIFY r = 1
