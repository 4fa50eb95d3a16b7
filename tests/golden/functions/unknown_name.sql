-- construct: Python functions
-- Near names are ours as well as DuckDB's.
CREATE STREAM t (k VARCHAR, x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT rsik(x, 1) AS r FROM t;
-- error BindError
--| unknown function 'rsik'
--| hint: did you mean risk?
