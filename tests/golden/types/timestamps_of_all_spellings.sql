-- construct: types: TIMESTAMP
-- Epoch milliseconds, ISO-8601 with and without a zone: one instant each, in UTC.
CREATE STREAM t (given TIMESTAMP, zoned TIMESTAMPTZ, n BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT n, given, zoned, given + INTERVAL 1 DAY AS later FROM t;

-- step
-- in t:
--| {"n": 1, "given": 1704067200000, "zoned": 1704067200000, "timestamp": "2024-01-01 00:00:01"}
--| {"n": 2, "given": "2024-01-01T02:00:00.5+02:00", "zoned": "2024-01-01T02:00:00.5+02:00", "timestamp": "2024-01-01 00:00:02"}
--| {"n": 3, "given": "2024-01-01 00:00:00", "zoned": "2024-01-01", "timestamp": "2024-01-01 00:00:03"}
--| {"n": 4, "given": "2024-02-30", "zoned": null, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"n": 1, "given": "2024-01-01 00:00:00", "zoned": "2024-01-01 00:00:00+00:00", "later": "2024-01-02 00:00:00"}
--| {"n": 2, "given": "2024-01-01 00:00:00.5", "zoned": "2024-01-01 00:00:00.500000+00:00", "later": "2024-01-02 00:00:00.5"}
--| {"n": 3, "given": "2024-01-01 00:00:00", "zoned": "2024-01-01 00:00:00+00:00", "later": "2024-01-02 00:00:00"}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 3, "reason": "expected epoch milliseconds or an ISO-8601 time at given, got '2024-02-30'", "path": "given", "raw": "{\"n\": 4, \"given\": \"2024-02-30\", \"zoned\": null, \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}

-- oracle:
--| SELECT n, given, zoned, given + INTERVAL 1 DAY AS later FROM t
