-- construct: types: UUID
-- However it is written, an id is one: in lower case with dashes.
CREATE STREAM t (id UUID, x BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, SUM(x) AS s FROM t GROUP BY id;

-- step
-- in t:
--| {"id": "550e8400-e29b-41d4-a716-446655440000", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"id": "550E8400E29B41D4A716446655440000", "x": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"id": "nobody", "x": 4, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "id": "550e8400-e29b-41d4-a716-446655440000", "s": 3}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 2, "reason": "expected a UUID at id, got 'nobody'", "path": "id", "raw": "{\"id\": \"nobody\", \"x\": 4, \"timestamp\": \"2024-01-01 00:00:03\"}", "encoding": "utf-8"}
