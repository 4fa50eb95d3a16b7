-- construct: OVER with RANGE
-- Ordered by milliseconds, rows of one millisecond are peers although their times differ.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, COUNT(*) OVER (ORDER BY epoch_ms(timestamp)) AS n, RANK() OVER (ORDER BY
epoch_ms(timestamp)) AS r FROM t;

-- step
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01.0001"}
--| {"k": "a", "x": 2, "timestamp": "2024-01-01 00:00:01.0009"}

-- step
-- in t:
--| {"k": "a", "x": 3, "timestamp": "2024-01-01 00:00:01.0005"}
--| {"k": "a", "x": 4, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"k": "a", "x": 1, "n": 1, "r": 1}
--| {"k": "a", "x": 3, "n": 3, "r": 2}
--| {"k": "a", "x": 2, "n": 3, "r": 2}

-- final
-- out j:
--| {"k": "a", "x": 4, "n": 4, "r": 4}
