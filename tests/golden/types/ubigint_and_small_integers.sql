-- construct: types: integers
-- A number that the type cannot hold goes to the dead letters.
CREATE STREAM t (u UBIGINT, i TINYINT, timestamp TIMESTAMP);
START JOB j AS SELECT u, i FROM t;

-- step
-- in t:
--| {"u": 18446744073709551615, "i": -128, "timestamp": "2024-01-01 00:00:01"}
--| {"u": -1, "i": 1, "timestamp": "2024-01-01 00:00:02"}
--| {"u": 1.0, "i": 127, "timestamp": "2024-01-01 00:00:03"}
--| {"u": 1, "i": 128, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"u": 18446744073709551615, "i": -128}
--| {"u": 1, "i": 127}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "-1 at u is out of range for UBIGINT", "path": "u", "raw": "{\"u\": -1, \"i\": 1, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}
--| {"job": "j", "topic": "t", "partition": 0, "offset": 3, "reason": "128 at i is out of range for TINYINT", "path": "i", "raw": "{\"u\": 1, \"i\": 128, \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}
