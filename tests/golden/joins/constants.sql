-- construct: joins with constants
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.x, v.name FROM (VALUES ('p', 'first'), ('q', 'second')) AS v(k, name) JOIN a ON a.k = v.k;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "x": 3, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"x": 1, "name": "first"}
--| {"x": 2, "name": "second"}

-- final
