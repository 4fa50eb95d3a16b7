-- construct: types: INTERVAL
-- ISO-8601, DuckDB's words, milliseconds. As a group key a month is 30 days.
CREATE STREAM t (x INTERVAL, timestamp TIMESTAMP);
START JOB sums AS SELECT timestamp + x AS at FROM t;
START JOB groups AS SELECT x, COUNT(*) AS c FROM t GROUP BY x;

-- step
-- in t:
--| {"x": "P1M", "timestamp": "2024-01-01 00:00:01"}
--| {"x": "30 days", "timestamp": "2024-01-01 00:00:02"}
--| {"x": "1 day 01:30:00", "timestamp": "2024-01-01 00:00:03"}
--| {"x": 1500, "timestamp": "2024-01-01 00:00:04"}
--| {"x": "soon", "timestamp": "2024-01-01 00:00:05"}
-- out sums:
--| {"at": "2024-02-01 00:00:01"}
--| {"at": "2024-01-31 00:00:02"}
--| {"at": "2024-01-02 01:30:03"}
--| {"at": "2024-01-01 00:00:05.5"}
-- out sums.dlq:
--| {"job": "sums", "topic": "t", "partition": 0, "offset": 4, "reason": "expected an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds at x, got 'soon'", "path": "x", "raw": "{\"x\": \"soon\", \"timestamp\": \"2024-01-01 00:00:05\"}", "encoding": "utf-8"}
-- out groups:
--| {"op": "upsert", "x": "P1M0DT0S", "c": 2}
--| {"op": "upsert", "x": "P0M0DT1.5S", "c": 1}
--| {"op": "upsert", "x": "P0M1DT5400S", "c": 1}
-- out groups.dlq:
--| {"job": "groups", "topic": "t", "partition": 0, "offset": 4, "reason": "expected an interval like '2 days 01:30:00', 'P2DT1H30M' or milliseconds at x, got 'soon'", "path": "x", "raw": "{\"x\": \"soon\", \"timestamp\": \"2024-01-01 00:00:05\"}", "encoding": "utf-8"}
