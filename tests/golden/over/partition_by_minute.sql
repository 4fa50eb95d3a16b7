-- construct: OVER partitions that end
-- A minute's total is known when the minute is over; its running sum starts anew with each minute.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, SUM(x) OVER (PARTITION BY date_trunc('minute', timestamp) ORDER BY timestamp) AS running,
SUM(x) OVER (PARTITION BY date_trunc('minute', timestamp)) AS total, LEAD(x) OVER (PARTITION BY date_trunc('minute',
timestamp) ORDER BY timestamp) AS later FROM t;

-- step
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:10"}
--| {"k": "b", "x": 2, "timestamp": "2024-01-01 00:00:59"}

-- step: the minute is over
-- in t:
--| {"k": "a", "x": 4, "timestamp": "2024-01-01 00:01:01.5"}
-- out j:
--| {"k": "a", "x": 1, "running": 1, "total": 3, "later": 2}
--| {"k": "b", "x": 2, "running": 3, "total": 3, "later": null}

-- step
-- in t:
--| {"k": "a", "x": 8, "timestamp": "2024-01-01 00:01:05"}

-- final
-- out j:
--| {"k": "a", "x": 4, "running": 4, "total": 12, "later": 8}
--| {"k": "a", "x": 8, "running": 12, "total": 12, "later": null}

-- oracle:
--| SELECT k, x, SUM(x) OVER (PARTITION BY date_trunc('minute', timestamp) ORDER BY timestamp) AS running, SUM(x) OVER
--| (PARTITION BY date_trunc('minute', timestamp)) AS total, LEAD(x) OVER (PARTITION BY date_trunc('minute',
--| timestamp) ORDER BY __ts, __pos) AS later FROM t
