-- construct: Python functions
-- What a window gives, through a function.
CREATE STREAM t (k VARCHAR, bid DOUBLE, ask DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT k, mid(MAX(bid), MIN(ask)) AS m, window_end FROM t GROUP BY k, TUMBLE(timestamp, INTERVAL 2 SECOND) HAVING mid(MAX(bid), MIN(ask)) < 100;

-- step
-- in t:
--| {"k": "a", "bid": 1, "ask": 4, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "bid": 100, "ask": 200, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "bid": 3, "ask": 9, "timestamp": "2024-01-01 00:00:03"}
--| {"k": "a", "bid": 2, "ask": 8, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"k": "a", "m": 2.5, "window_end": "2024-01-01 00:00:02"}
--| {"k": "a", "m": 6.0, "window_end": "2024-01-01 00:00:04"}

-- final
-- out j:
--| {"k": "a", "m": 5.0, "window_end": "2024-01-01 00:00:06"}

-- oracle:
--| SELECT k, (MAX(bid) + MIN(ask)) / 2 AS m, make_timestamp((__ts // 2000000 + 1) * 2000000) AS window_end FROM t GROUP BY k, __ts // 2000000 HAVING m < 100
