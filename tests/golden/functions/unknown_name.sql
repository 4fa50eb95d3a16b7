-- construct: Python functions
-- Near names are ours as well as DuckDB's.
CREATE STREAM t (k VARCHAR, x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT rsik(x, 1) AS r FROM t;
-- error BindError
--| unknown function 'rsik' (line 2, column 23)
--|   START JOB j AS SELECT rsik(x, 1) AS r FROM t;
--|                         ^^^^
--| hint: did you mean risk?
