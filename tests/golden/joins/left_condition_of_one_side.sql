-- construct: interval join: left
-- A conjunct of ON that reads one side decides what matches; it removes no left row.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x, b.y FROM a LEFT JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND AND a.x > 1 AND b.y < 20;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "p", "y": 30, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"k": "p", "x": 2, "y": 10}

-- step: both come alone once nothing can match them
-- in a:
--| {"k": "e", "x": 9, "timestamp": "2024-01-01 00:00:08"}
-- in b:
--| {"k": "e", "y": 9, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"k": "e", "x": 9, "y": 9}
--| {"k": "p", "x": 1, "y": null}

-- final
