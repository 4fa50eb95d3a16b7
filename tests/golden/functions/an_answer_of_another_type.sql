-- construct: Python functions
-- A promise that a row's answer does not keep is that row's fault.
CREATE STREAM t (x BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT misbehaves(x) AS y FROM t;

-- step
-- in t:
--| {"x": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"x": 3, "timestamp": "2024-01-01 00:00:02"}
--| {"x": 4, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"y": 2}
--| {"y": 4}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "function misbehaves returned 'odd', which is no BIGINT", "path": "project", "raw": "{\"x\": 3, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}

-- oracle:
--| SELECT x AS y FROM t WHERE x % 2 = 0
