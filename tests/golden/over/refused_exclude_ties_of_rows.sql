-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, SUM(x) OVER (ORDER BY timestamp ROWS 3 PRECEDING EXCLUDE TIES) AS y FROM t;
-- error UnsupportedError
--| EXCLUDE TIES of a ROWS frame: its rows have an order of their own, so that none has ties (line 3, column 11)
--|   SELECT k, SUM(x) OVER (ORDER BY timestamp ROWS 3 PRECEDING EXCLUDE TIES) AS y FROM t;
--|             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: write GROUPS or RANGE instead of ROWS, or EXCLUDE CURRENT ROW
