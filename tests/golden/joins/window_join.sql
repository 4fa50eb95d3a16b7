-- construct: window join
-- Two aggregates of the same windows; a window on one side alone is padded when the other side's has closed.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
WITH u AS (SELECT k, window_start, window_end, SUM(x) AS xs FROM a GROUP BY k, TUMBLE(timestamp, INTERVAL '5' SECOND)),
v AS (SELECT k, window_start, window_end, SUM(y) AS ys FROM b GROUP BY k, TUMBLE(timestamp, INTERVAL '5' SECOND))
SELECT k, window_start, xs, ys FROM u FULL JOIN v USING (k, window_start, window_end);

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "q", "x": 3, "timestamp": "2024-01-01 00:00:03"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "y": 11, "timestamp": "2024-01-01 00:00:02"}

-- step: both windows close
-- in a:
--| {"k": "p", "x": 4, "timestamp": "2024-01-01 00:00:05"}
-- in b:
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "p", "window_start": "2024-01-01 00:00:00", "xs": 3, "ys": 10}
--| {"k": "q", "window_start": "2024-01-01 00:00:00", "xs": 3, "ys": null}
--| {"k": "r", "window_start": "2024-01-01 00:00:00", "xs": null, "ys": 11}

-- step: one of them closes
-- in a:
--| {"k": "p", "x": 5, "timestamp": "2024-01-01 00:00:11"}

-- step: the other one too
-- in b:
--| {"k": "p", "y": 13, "timestamp": "2024-01-01 00:00:11"}
-- out j:
--| {"k": "p", "window_start": "2024-01-01 00:00:05", "xs": 4, "ys": 12}

-- final
-- out j:
--| {"k": "p", "window_start": "2024-01-01 00:00:10", "xs": 5, "ys": 13}

-- oracle:
--| WITH u AS (SELECT k, time_bucket(INTERVAL 5 SECOND, timestamp, TIMESTAMP '1970-01-01') AS window_start, SUM(x) AS xs FROM a GROUP BY ALL),
--| v AS (SELECT k, time_bucket(INTERVAL 5 SECOND, timestamp, TIMESTAMP '1970-01-01') AS window_start, SUM(y) AS ys FROM b GROUP BY ALL)
--| SELECT k, window_start, xs, ys FROM u FULL JOIN v USING (k, window_start)
