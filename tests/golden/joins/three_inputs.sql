-- construct: joins of three and more inputs
-- Each bound is against the first input.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
CREATE STREAM c (k VARCHAR, z BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.y, c.z FROM a
LEFT JOIN b ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '1' SECOND
LEFT JOIN c ON a.k = c.k AND c.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01.5"}
-- in c:
--| {"k": "p", "z": 100, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "p", "z": 101, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"x": 1, "y": 10, "z": 101}
--| {"x": 1, "y": 10, "z": 100}

-- step
-- in a:
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:04"}
-- in b:
--| {"k": "r", "y": 11, "timestamp": "2024-01-01 00:00:04"}
-- in c:
--| {"k": "q", "z": 102, "timestamp": "2024-01-01 00:00:04"}

-- step
-- in a:
--| {"k": "e", "x": 3, "timestamp": "2024-01-01 00:00:09"}
-- in b:
--| {"k": "e", "y": 12, "timestamp": "2024-01-01 00:00:09"}
-- in c:
--| {"k": "e", "z": 103, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"x": 3, "y": 12, "z": 103}
--| {"x": 2, "y": null, "z": 102}

-- final
