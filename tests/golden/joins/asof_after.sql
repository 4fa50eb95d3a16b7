-- construct: ASOF join
-- At the same time is too early.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x, b.y FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.timestamp < b.timestamp;

-- step
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:02"}
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:02"}

-- step
-- in a:
--| {"k": "q", "x": 3, "timestamp": "2024-01-01 00:00:04"}
-- in b:
--| {"k": "p", "y": 13, "timestamp": "2024-01-01 00:00:05"}
--| {"k": "q", "y": 14, "timestamp": "2024-01-01 00:00:05"}

-- step
-- in a:
--| {"k": "p", "x": 4, "timestamp": "2024-01-01 00:00:06"}
-- in b:
--| {"k": "p", "y": 15, "timestamp": "2024-01-01 00:00:07"}
--| {"k": "e", "y": 16, "timestamp": "2024-01-01 00:00:08"}
-- out j:
--| {"k": "p", "x": 1, "y": 13}
--| {"k": "q", "x": 3, "y": 14}
--| {"k": "p", "x": 4, "y": 15}

-- final

-- oracle:
--| SELECT a.k, a.x, b.y FROM a ASOF LEFT JOIN
--| (SELECT * FROM b QUALIFY row_number() OVER (PARTITION BY k, timestamp ORDER BY __pos) = 1) b
--| ON a.k = b.k AND a.timestamp < b.timestamp
