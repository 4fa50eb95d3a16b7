-- construct: Python functions
-- A column at a time; still only the row at fault is set aside.
CREATE STREAM t (x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT root(x) AS r FROM t;

-- step
-- in t:
--| {"x": 4, "timestamp": "2024-01-01 00:00:01"}
--| {"x": -4, "timestamp": "2024-01-01 00:00:02"}
--| {"x": null, "timestamp": "2024-01-01 00:00:03"}
--| {"x": 9, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"r": 2.0}
--| {"r": null}
--| {"r": 3.0}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "function root: ArrowInvalid: square root of negative number", "path": "project", "raw": "{\"x\": -4.0, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}

-- oracle:
--| SELECT sqrt(x) AS r FROM t WHERE x IS NULL OR x >= 0
