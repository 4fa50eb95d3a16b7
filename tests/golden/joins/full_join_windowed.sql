-- construct: interval join: full
-- A padded row counts in the window of its own time, which stays open for it.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT window_end, COUNT(x) AS xs, COUNT(y) AS ys FROM a FULL JOIN b USING (k, timestamp)
GROUP BY TUMBLE(timestamp, INTERVAL '5' SECOND);

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:04"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "y": 11, "timestamp": "2024-01-01 00:00:04.5"}

-- step
-- in a:
--| {"k": "s", "x": 3, "timestamp": "2024-01-01 00:00:05"}
-- in b:
--| {"k": "t", "y": 12, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"window_end": "2024-01-01 00:00:05", "xs": 2, "ys": 2}

-- step
-- in a:
--| {"k": "s", "x": 3, "timestamp": "2024-01-01 00:00:11"}
-- in b:
--| {"k": "t", "y": 12, "timestamp": "2024-01-01 00:00:11"}
-- out j:
--| {"window_end": "2024-01-01 00:00:10", "xs": 1, "ys": 1}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:15", "xs": 1, "ys": 1}

-- oracle:
--| SELECT time_bucket(INTERVAL 5 SECOND, timestamp, TIMESTAMP '1970-01-01') + INTERVAL 5 SECOND AS window_end,
--| COUNT(x) AS xs, COUNT(y) AS ys FROM (SELECT timestamp, x, y FROM a FULL JOIN b USING (k, timestamp)) GROUP BY 1
