-- construct: Python functions
CREATE STREAM t (x DECIMAL(38,18), timestamp TIMESTAMP);
START JOB j AS SELECT fee(x) AS f FROM t;

-- step
-- in t:
--| {"x": 0.1, "timestamp": "2024-01-01 00:00:01"}
--| {"x": 12345678901234567.123456789012345678, "timestamp": "2024-01-01 00:00:02"}
--| {"x": null, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"f": 0.000100000000000000}
--| {"f": 12345678901234.567123456789012346}
--| {"f": null}

-- oracle:
--| SELECT CASE WHEN x = 0.1 THEN 0.0001::DECIMAL(38,18) WHEN x IS NOT NULL THEN 12345678901234.567123456789012346::DECIMAL(38,18) END AS f FROM t
