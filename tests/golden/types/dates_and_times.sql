-- construct: types: DATE, TIME
CREATE STREAM t (d DATE, c TIME, timestamp TIMESTAMP);
START JOB j AS SELECT d, c, d + c AS at, date_trunc('month', d) AS month FROM t;

-- step
-- in t:
--| {"d": "2024-02-29", "c": "14:30:00.000001", "timestamp": "2024-01-01 00:00:01"}
--| {"d": "1969-12-31", "c": "00:00", "timestamp": "2024-01-01 00:00:02"}
--| {"d": "tomorrow", "c": "00:00", "timestamp": "2024-01-01 00:00:03"}
--| {"d": null, "c": null, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"d": "2024-02-29", "c": "14:30:00.000001", "at": "2024-02-29 14:30:00.000001", "month": "2024-02-01 00:00:00"}
--| {"d": "1969-12-31", "c": "00:00:00", "at": "1969-12-31 00:00:00", "month": "1969-12-01 00:00:00"}
--| {"d": null, "c": null, "at": null, "month": null}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 2, "reason": "expected a date like 2026-01-31 at d, got 'tomorrow'", "path": "d", "raw": "{\"d\": \"tomorrow\", \"c\": \"00:00\", \"timestamp\": \"2024-01-01 00:00:03\"}", "encoding": "utf-8"}
