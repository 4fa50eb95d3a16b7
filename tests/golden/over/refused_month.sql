-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, SUM(x) OVER (ORDER BY timestamp RANGE INTERVAL 1 MONTH PRECEDING) AS y FROM t;
-- error UnsupportedError
--| a RANGE frame needs constant bounds of a fixed length (line 3, column 11)
--|   SELECT k, SUM(x) OVER (ORDER BY timestamp RANGE INTERVAL 1 MONTH PRECEDING) AS y FROM t;
--|             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: write RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW
