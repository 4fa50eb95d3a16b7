-- construct: Python functions
CREATE STREAM t (k VARCHAR, x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT risk(k, 1) AS r FROM t;
-- error BindError
--| there is no risk(VARCHAR, INTEGER_LITERAL) (line 2, column 23)
--|   START JOB j AS SELECT risk(k, 1) AS r FROM t;
--|                         ^^^^
--| hint: you defined risk(price DOUBLE, quantity BIGINT) -> DOUBLE; CAST the arguments
