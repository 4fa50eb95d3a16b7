-- construct: interval join: default bound
-- Without a time bound rows join within 'join.within'.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, b.y FROM a JOIN b ON a.k = b.k WITH ('join.within' = '2s');

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:03"}
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:03.5"}
-- out j:
--| {"x": 1, "y": 10}

-- step
-- in a:
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:05"}
-- in b:
--| {"k": "p", "y": 12, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"x": 2, "y": 12}
--| {"x": 2, "y": 11}
--| {"x": 2, "y": 10}

-- final

-- oracle:
--| SELECT a.x, b.y FROM a JOIN b ON a.k = b.k AND abs(a.__ts - b.__ts) <= 2000000
