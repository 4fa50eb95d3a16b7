-- construct: ASOF join
-- The price two seconds after the trade.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.y FROM a ASOF JOIN b ON a.k = b.k AND a.timestamp + INTERVAL '2' SECOND >= b.timestamp;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:02.5"}

-- step
-- in b:
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:03.5"}
-- in a:
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"x": 1, "y": 11}

-- step
-- in b:
--| {"k": "p", "y": 13, "timestamp": "2024-01-01 00:00:07"}
-- in a:
--| {"k": "p", "x": 3, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"x": 2, "y": 12}

-- final
-- out j:
--| {"x": 3, "y": 13}

-- oracle:
--| SELECT a.x, b.y FROM a ASOF JOIN b ON a.k = b.k AND a.timestamp + INTERVAL '2' SECOND >= b.timestamp
