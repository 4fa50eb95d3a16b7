-- construct: interval join: self join
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT l.x, r.x AS later FROM a l LEFT JOIN a r
ON l.k = r.k AND r.timestamp > l.timestamp AND r.timestamp <= l.timestamp + INTERVAL '2' SECOND;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "p", "x": 3, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"x": 1, "later": 3}
--| {"x": 2, "later": 3}
--| {"x": 1, "later": 2}

-- step
-- in a:
--| {"k": "q", "x": 4, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"x": 3, "later": null}

-- final
-- out j:
--| {"x": 4, "later": null}
