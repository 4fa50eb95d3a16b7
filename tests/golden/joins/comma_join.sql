-- construct: joins of three and more inputs
-- WHERE gives the conditions.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
CREATE STREAM c (k VARCHAR, z BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.y, c.z FROM a, b, c
WHERE a.k = b.k AND b.k = c.k AND a.timestamp = b.timestamp AND c.timestamp = a.timestamp AND z > 100;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
-- in c:
--| {"k": "p", "z": 100, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "z": 101, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"x": 1, "y": 10, "z": 101}

-- step
-- in a:
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "q", "y": 11, "timestamp": "2024-01-01 00:00:02"}
-- in c:
--| {"k": "r", "z": 102, "timestamp": "2024-01-01 00:00:02"}

-- final
