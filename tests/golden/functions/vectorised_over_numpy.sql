-- construct: Python functions
CREATE STREAM t (x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT clipped(x, 0, 10) AS c FROM t;

-- step
-- in t:
--| {"x": 4, "timestamp": "2024-01-01 00:00:01"}
--| {"x": -4, "timestamp": "2024-01-01 00:00:02"}
--| {"x": null, "timestamp": "2024-01-01 00:00:03"}
--| {"x": 90, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"c": 4.0}
--| {"c": 0.0}
--| {"c": null}
--| {"c": 10.0}

-- oracle:
--| SELECT greatest(0, least(10, x)) + 0 * x AS c FROM t
