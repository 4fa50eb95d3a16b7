-- construct: inferred schemas

-- step
-- in t:
--| {"x": 1, "timestamp": "2024-01-01 00:00:01"}
START JOB j AS SELECT x FROM t;
-- out j:
--| {"x": 1}

-- step
-- in t:
--| {"x": 18446744073709551616, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"x": 18446744073709551616}
