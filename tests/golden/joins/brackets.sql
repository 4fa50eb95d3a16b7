-- construct: joins of three and more inputs
-- The join in brackets is made first: a without its pair of b and c comes alone.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
CREATE STREAM c (k VARCHAR, z BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.y, c.z FROM a LEFT JOIN (b JOIN c ON b.k = c.k AND b.timestamp = c.timestamp)
ON a.k = b.k AND a.timestamp = b.timestamp;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
-- in c:
--| {"k": "p", "z": 100, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"x": 1, "y": 10, "z": 100}

-- step
-- in a:
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:02"}

-- step
-- in a:
--| {"k": "p", "x": 3, "timestamp": "2024-01-01 00:00:03"}
-- in b:
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:03"}
-- in c:
--| {"k": "p", "z": 102, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"x": 3, "y": 12, "z": 102}
--| {"x": 2, "y": null, "z": null}

-- final
