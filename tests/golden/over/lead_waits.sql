-- construct: LAG and LEAD
-- A row waits for the rows that it names; those of an event time come as they lie in the topic.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, LEAD(x) OVER (PARTITION BY k ORDER BY timestamp) AS later, LEAD(x, 2, -1) OVER (ORDER BY
timestamp) AS second FROM t;

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
--| {"k": "b", "x": null, "later": 7, "second": 1}
--| {"k": "a", "x": 3, "later": 1, "second": 2}
--| {"k": "a", "x": 1, "later": 2, "second": 7}
--| {"k": "a", "x": 2, "later": null, "second": null}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}

-- final
-- out j:
--| {"k": "b", "x": 7, "later": 4, "second": 5}
--| {"k": "a", "x": null, "later": 5, "second": 4}
--| {"k": "a", "x": 5, "later": 6, "second": 6}
--| {"k": "b", "x": 4, "later": null, "second": -1}
--| {"k": "a", "x": 6, "later": null, "second": -1}

-- oracle:
--| SELECT k, x, LEAD(x) OVER (PARTITION BY k ORDER BY __ts, __pos) AS later, LEAD(x, 2, -1) OVER (ORDER BY __ts,
--| __pos) AS second FROM t
