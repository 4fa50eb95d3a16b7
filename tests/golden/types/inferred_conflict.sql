-- construct: inferred schemas
-- Text where numbers were seen is that record's fault; new fields are ignored, missing ones NULL.

-- step
-- in t:
--| {"x": 1, "y": true, "timestamp": "2024-01-01 00:00:01"}
START JOB j AS SELECT x, y FROM t;
-- out j:
--| {"x": 1, "y": true}

-- step
-- in t:
--| {"x": "many", "y": false, "timestamp": "2024-01-01 00:00:02"}
--| {"x": 2, "z": "new", "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"x": 2, "y": null}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "expected a whole number at x, got 'many'", "path": "x", "raw": "{\"x\": \"many\", \"y\": false, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}
