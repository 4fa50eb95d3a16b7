-- construct: types: DOUBLE
-- They come as texts, are values and no NULLs, and every NaN is one key, as in DuckDB.
CREATE STREAM t (x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT x, x > 1 AS more FROM t;
START JOB groups AS SELECT x, COUNT(*) AS c FROM t GROUP BY x;

-- step
-- in t:
--| {"x": "NaN", "timestamp": "2024-01-01 00:00:01"}
--| {"x": "-Infinity", "timestamp": "2024-01-01 00:00:02"}
--| {"x": null, "timestamp": "2024-01-01 00:00:03"}
--| {"x": 0.0, "timestamp": "2024-01-01 00:00:04"}
--| {"x": -0.0, "timestamp": "2024-01-01 00:00:05"}
--| {"x": "NaN", "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"x": "NaN", "more": true}
--| {"x": "-Infinity", "more": false}
--| {"x": null, "more": null}
--| {"x": 0.0, "more": false}
--| {"x": 0.0, "more": false}
--| {"x": "NaN", "more": true}
-- out groups:
--| {"op": "upsert", "x": "NaN", "c": 2}
--| {"op": "upsert", "x": "-Infinity", "c": 1}
--| {"op": "upsert", "x": null, "c": 1}
--| {"op": "upsert", "x": 0.0, "c": 2}
