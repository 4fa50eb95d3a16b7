-- construct: several windows in one SELECT
-- A row still waits for its key when its second is over: what it looks at there stays for it.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY date_trunc('second', timestamp) ORDER BY timestamp) AS
first, LEAD(x, 2) OVER (PARTITION BY k ORDER BY timestamp) AS later FROM t;

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
--| {"k": "a", "x": 3, "first": null, "later": 2}
--| {"k": "a", "x": 1, "first": 1, "later": null}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "a", "x": 2, "first": 1, "later": 5}

-- final
-- out j:
--| {"k": "b", "x": null, "first": null, "later": 4}
--| {"k": "b", "x": 7, "first": 7, "later": null}
--| {"k": "a", "x": null, "first": 7, "later": 6}
--| {"k": "a", "x": 5, "first": 5, "later": null}
--| {"k": "b", "x": 4, "first": 4, "later": null}
--| {"k": "a", "x": 6, "first": 4, "later": null}

-- oracle:
--| SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY date_trunc('second', timestamp) ORDER BY __ts, __pos) AS first,
--| LEAD(x, 2) OVER (PARTITION BY k ORDER BY __ts, __pos) AS later FROM t
