-- construct: refusals
CREATE STREAM t (a BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT b FROM t;
-- error BindError
--| unknown column 'b' (line 2, column 23)
--|   START JOB j AS SELECT b FROM t;
--|                         ^
--| hint: known: a, timestamp
