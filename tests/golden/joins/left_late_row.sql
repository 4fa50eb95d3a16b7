-- construct: interval join: left
-- A late row neither matches nor comes alone.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x, b.y FROM a LEFT JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"k": "p", "x": 1, "y": 10}

-- step: late on both sides
-- in a:
--| {"k": "e", "x": 2, "timestamp": "2024-01-01 00:00:10"}
-- in b:
--| {"k": "e", "y": 11, "timestamp": "2024-01-01 00:00:10"}
-- in a:
--| {"k": "p", "x": 3, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"k": "e", "x": 2, "y": 11}

-- final
-- late j: 2

-- oracle:
--| SELECT a.k, a.x, b.y FROM (SELECT * FROM a WHERE x <> 3) a LEFT JOIN (SELECT * FROM b WHERE y <> 12) b
--| ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND
