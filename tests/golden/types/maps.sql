-- construct: types: MAP
-- An object or a list of key and value; keys are read as their type.
CREATE STREAM t (m MAP(INTEGER, VARCHAR), timestamp TIMESTAMP);
START JOB j AS SELECT m, m[1] AS one, cardinality(m) AS n FROM t;

-- step
-- in t:
--| {"m": {"1": "a", "2": null}, "timestamp": "2024-01-01 00:00:01"}
--| {"m": [{"key": 1, "value": "b"}], "timestamp": "2024-01-01 00:00:02"}
--| {"m": {}, "timestamp": "2024-01-01 00:00:03"}
--| {"m": {"x": "a"}, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"m": [[1, "a"], [2, null]], "one": "a", "n": 2}
--| {"m": [[1, "b"]], "one": "b", "n": 1}
--| {"m": [], "one": null, "n": 0}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 3, "reason": "expected a whole number at m, got 'x'", "path": "m", "raw": "{\"m\": {\"x\": \"a\"}, \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}
