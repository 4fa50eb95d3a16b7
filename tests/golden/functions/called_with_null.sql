-- construct: Python functions
-- null="call": the function sees None.
CREATE STREAM t (name VARCHAR, size BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT label(name, size) AS l, label(NULL, 1) AS m FROM t;

-- step
-- in t:
--| {"name": "a", "size": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"name": null, "size": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"name": "c", "size": null, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"l": "a:1", "m": "nobody:1"}
--| {"l": "nobody:2", "m": "nobody:1"}
--| {"l": "c:0", "m": "nobody:1"}

-- oracle:
--| SELECT coalesce(name, 'nobody') || ':' || coalesce(size, 0) AS l, 'nobody:1' AS m FROM t
