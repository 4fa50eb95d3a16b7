-- construct: interval join: right
-- The left row comes at least a second after the right one.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.k, b.y FROM a RIGHT JOIN b
ON a.k = b.k AND a.timestamp BETWEEN b.timestamp + INTERVAL '1' SECOND AND b.timestamp + INTERVAL '3' SECOND;

-- step: too early to match
-- in b:
--| {"k": "p", "y": 1, "timestamp": "2024-01-01 00:00:01"}
-- in a:
--| {"k": "p", "x": 10, "timestamp": "2024-01-01 00:00:01.5"}

-- step
-- in a:
--| {"k": "p", "x": 11, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "p", "x": 12, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"x": 11, "k": "p", "y": 1}
--| {"x": 12, "k": "p", "y": 1}

-- step
-- in b:
--| {"k": "q", "y": 2, "timestamp": "2024-01-01 00:00:05"}
-- in a:
--| {"k": "e", "x": 13, "timestamp": "2024-01-01 00:00:09"}
-- in b:
--| {"k": "e", "y": 3, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"x": null, "k": "q", "y": 2}

-- final
-- out j:
--| {"x": null, "k": "e", "y": 3}
