-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, SUM(x) OVER (PARTITION BY k ORDER BY x) AS y FROM t;
-- error UnsupportedError
--| OVER (ORDER BY x) cannot be incremental: a stream is ordered by event time (line 3, column 48)
--|   SELECT k, SUM(x) OVER (PARTITION BY k ORDER BY x) AS y FROM t;
--|                                                  ^
--| hint: ORDER BY timestamp; for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY x) <= n, alone; or PARTITION BY something that ends, such as window_end
