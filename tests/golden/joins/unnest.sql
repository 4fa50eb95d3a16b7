-- construct: joins with constants
-- A list of the row itself.
CREATE STREAM a (k VARCHAR, x BIGINT[], timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, u.e FROM a, UNNEST(a.x) AS u(e);

-- step
-- in a:
--| {"k": "p", "x": [1, 2], "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": [], "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "x": null, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"k": "p", "e": 2}
--| {"k": "p", "e": 1}

-- final
