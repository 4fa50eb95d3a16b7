-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, RANK() OVER (PARTITION BY k ORDER BY timestamp DESC) AS y FROM t;
-- error UnsupportedError
--| RANK() OVER (ORDER BY … DESC) would look into the future (line 3, column 48)
--|   SELECT k, RANK() OVER (PARTITION BY k ORDER BY timestamp DESC) AS y FROM t;
--|                                                  ^^^^^^^^^
--| hint: order by event time ascending; for the newest n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) <= n, alone
