-- construct: types: VARCHAR
CREATE STREAM t (s VARCHAR, timestamp TIMESTAMP);
START JOB j AS SELECT s, length(s) AS n, upper(s) AS u FROM t;

-- step
-- in t:
--| {"s": "é😀", "timestamp": "2024-01-01 00:00:01"}
--| {"s": "\u0000zero", "timestamp": "2024-01-01 00:00:02"}
--| {"s": "", "timestamp": "2024-01-01 00:00:03"}
--| {"s": {"not": ["text"]}, "timestamp": "2024-01-01 00:00:04"}
--| {"s": 1.50, "timestamp": "2024-01-01 00:00:05"}
--| {"s": "\ud800", "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"s": "é😀", "n": 2, "u": "É😀"}
--| {"s": "\u0000zero", "n": 5, "u": "\u0000ZERO"}
--| {"s": "", "n": 0, "u": ""}
--| {"s": "{\"not\": [\"text\"]}", "n": 17, "u": "{\"NOT\": [\"TEXT\"]}"}
--| {"s": "1.50", "n": 4, "u": "1.50"}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 5, "reason": "not JSON: unexpected end of escaped utf-16 surrogate pair at byte 13", "path": "", "raw": "{\"s\": \"\\ud800\", \"timestamp\": \"2024-01-01 00:00:06\"}", "encoding": "utf-8"}
