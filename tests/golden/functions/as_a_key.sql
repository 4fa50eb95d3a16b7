-- construct: Python functions
CREATE STREAM t (x BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT trading_day(timestamp) AS day, SUM(x) AS s, window_end FROM t GROUP BY trading_day(timestamp), TUMBLE(timestamp, INTERVAL 12 HOUR);

-- step
-- in t:
--| {"x": 1, "timestamp": "2024-01-01 12:00:00"}
--| {"x": 2, "timestamp": "2024-01-01 21:59:59"}
--| {"x": 4, "timestamp": "2024-01-01 22:00:00"}
--| {"x": 8, "timestamp": "2024-01-02 01:00:00"}
-- out j:
--| {"day": "2024-01-01", "s": 3, "window_end": "2024-01-02 00:00:00"}
--| {"day": "2024-01-02", "s": 4, "window_end": "2024-01-02 00:00:00"}

-- final
-- out j:
--| {"day": "2024-01-02", "s": 8, "window_end": "2024-01-02 12:00:00"}

-- oracle:
--| SELECT (timestamp + INTERVAL 2 HOUR)::DATE AS day, SUM(x) AS s, time_bucket(INTERVAL 12 HOUR, timestamp, TIMESTAMP '1970-01-01') + INTERVAL 12 HOUR AS window_end FROM t GROUP BY ALL
