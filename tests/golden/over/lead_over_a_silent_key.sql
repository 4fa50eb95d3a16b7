-- construct: LAG and LEAD
-- Key a stays silent: its row waits to the end, rows of other keys go on.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LEAD(x) OVER (PARTITION BY k ORDER BY timestamp) AS later FROM t;

-- step
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "x": 2, "timestamp": "2024-01-01 00:00:01"}

-- step
-- in t:
--| {"k": "b", "x": 3, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"k": "b", "x": 2, "later": 3}

-- step
-- in t:
--| {"k": "b", "x": 5, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"k": "b", "x": 3, "later": 4}

-- final
-- out j:
--| {"k": "a", "x": 1, "later": null}
--| {"k": "b", "x": 4, "later": 5}
--| {"k": "b", "x": 5, "later": null}

-- oracle:
--| SELECT k, x, LEAD(x) OVER (PARTITION BY k ORDER BY __ts, __pos) AS later FROM t
