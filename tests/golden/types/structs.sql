-- construct: types: STRUCT
-- Fields that are missing are NULL, unknown ones are ignored.
CREATE STREAM t (q STRUCT(bid DOUBLE, ask DOUBLE, tags VARCHAR[]), timestamp TIMESTAMP);
START JOB j AS SELECT q.bid, (q.bid + q.ask) / 2 AS mid, q FROM t;

-- step
-- in t:
--| {"q": {"bid": 1, "ask": 2.5, "tags": ["x", null]}, "timestamp": "2024-01-01 00:00:01"}
--| {"q": {"ask": 3, "other": 1}, "timestamp": "2024-01-01 00:00:02"}
--| {"q": null, "timestamp": "2024-01-01 00:00:03"}
--| {"q": {"bid": "high"}, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"bid": 1.0, "mid": 1.75, "q": {"bid": 1.0, "ask": 2.5, "tags": ["x", null]}}
--| {"bid": null, "mid": null, "q": {"bid": null, "ask": 3.0, "tags": null}}
--| {"bid": null, "mid": null, "q": null}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 3, "reason": "expected a number at q.bid, got 'high'", "path": "q.bid", "raw": "{\"q\": {\"bid\": \"high\"}, \"timestamp\": \"2024-01-01 00:00:04\"}", "encoding": "utf-8"}
