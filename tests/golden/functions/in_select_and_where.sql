-- construct: Python functions
-- NULL in, NULL out.
CREATE STREAM t (bid DOUBLE, ask DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT mid(bid, ask) AS m FROM t WHERE mid(bid, ask) > 1 OR bid IS NULL;

-- step
-- in t:
--| {"bid": 1, "ask": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"bid": 0, "ask": 1, "timestamp": "2024-01-01 00:00:02"}
--| {"bid": null, "ask": 1, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"m": 1.5}
--| {"m": null}

-- oracle:
--| SELECT (bid + ask) / 2 AS m FROM t WHERE (bid + ask) / 2 > 1 OR bid IS NULL
