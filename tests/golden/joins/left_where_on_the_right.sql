-- construct: interval join: left
-- WHERE is asked after the padding.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x FROM a LEFT JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND WHERE b.y IS NULL;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:02"}

-- step
-- in a:
--| {"k": "e", "x": 9, "timestamp": "2024-01-01 00:00:08"}
-- in b:
--| {"k": "e", "y": 9, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"k": "q", "x": 2}

-- final
