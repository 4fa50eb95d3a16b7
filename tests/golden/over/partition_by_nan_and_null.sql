-- construct: LAG and LEAD
-- Every NaN is one key, -0.0 is 0.0, NULL is a key: as DuckDB groups them, in any batch.
CREATE STREAM s (id BIGINT, f DOUBLE, ts TIMESTAMP) WITH ('watermark.delay' = '3s');
START JOB j AS SELECT id, LAG(id) OVER (PARTITION BY f ORDER BY ts) AS before FROM s;

-- step
-- in s:
--| {"id": 1, "f": -3.75, "ts": "2024-01-01 00:00:04.250001"}
--| {"id": 2, "f": null, "ts": "2024-01-01 00:00:10.250002"}
--| {"id": 3, "f": "NaN", "ts": "2024-01-01 00:00:10.250002"}
-- out j:
--| {"id": 1, "before": null}

-- step
-- in s:
--| {"id": 4, "f": "NaN", "ts": "2024-01-01 00:00:11"}
--| {"id": 5, "f": 0.0, "ts": "2024-01-01 00:00:12"}
--| {"id": 6, "f": -0.0, "ts": "2024-01-01 00:00:13"}
--| {"id": 7, "f": null, "ts": "2024-01-01 00:00:14"}
-- out j:
--| {"id": 2, "before": null}
--| {"id": 3, "before": null}
--| {"id": 4, "before": 3}

-- final
-- out j:
--| {"id": 5, "before": null}
--| {"id": 6, "before": 5}
--| {"id": 7, "before": 2}

-- oracle:
--| SELECT id, LAG(id) OVER (PARTITION BY f ORDER BY __ts, __pos) AS before FROM s
