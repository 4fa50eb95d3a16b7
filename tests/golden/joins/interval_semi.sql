-- construct: interval join: semi
-- A left row comes once, however many rows it matches.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x FROM a SEMI JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:01.5"}
-- out j:
--| {"k": "p", "x": 1}

-- step: at the bound
-- in a:
--| {"k": "s", "x": 3, "timestamp": "2024-01-01 00:00:04"}
-- in b:
--| {"k": "q", "y": 12, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"k": "q", "x": 2}

-- step: past it
-- in a:
--| {"k": "t", "x": 4, "timestamp": "2024-01-01 00:00:06.001"}
-- in b:
--| {"k": "u", "y": 13, "timestamp": "2024-01-01 00:00:06.001"}

-- final
