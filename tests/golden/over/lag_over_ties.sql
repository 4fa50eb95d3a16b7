-- construct: LAG and LEAD
-- Rows of one time follow one another as they lie in the topic.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LAG(x, 1, -1) OVER (PARTITION BY k ORDER BY timestamp) AS before FROM t;

-- step
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "x": null, "timestamp": "2024-01-01 00:00:00.5"}
--| {"k": "a", "x": 3, "timestamp": "2024-01-01 00:00:00.5"}

-- final
-- out j:
--| {"k": "b", "x": null, "before": -1}
--| {"k": "a", "x": 3, "before": -1}
--| {"k": "a", "x": 1, "before": 3}
--| {"k": "a", "x": 2, "before": 1}

-- oracle:
--| SELECT k, x, LAG(x, 1, -1) OVER (PARTITION BY k ORDER BY __ts, __pos) AS before FROM t
