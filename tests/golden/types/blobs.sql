-- construct: types: BLOB
-- Base64 in JSON.
CREATE STREAM t (b BLOB, timestamp TIMESTAMP);
START JOB j AS SELECT b, octet_length(b) AS n FROM t;
START JOB groups AS SELECT b, COUNT(*) AS c FROM t GROUP BY b;

-- step
-- in t:
--| {"b": "AP8=", "timestamp": "2024-01-01 00:00:01"}
--| {"b": "", "timestamp": "2024-01-01 00:00:02"}
--| {"b": "AP8=", "timestamp": "2024-01-01 00:00:03"}
--| {"b": "not base64!", "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"b": "\\x00ff", "n": 2}
--| {"b": "\\x", "n": 0}
--| {"b": "\\x00ff", "n": 2}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 3, "reason": "expected base64 text at b, got 'not base64!'", "path": "b", "raw": "{\"b\": \"not base64!\", \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}
-- out groups:
--| {"op": "upsert", "b": "\\x00ff", "c": 2}
--| {"op": "upsert", "b": "\\x", "c": 1}
-- out groups.dlq:
--| {"job": "groups", "topic": "t", "partition": 0, "offset": 3, "reason": "expected base64 text at b, got 'not base64!'", "path": "b", "raw": "{\"b\": \"not base64!\", \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}
