-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, NTILE(4) OVER (PARTITION BY k ORDER BY timestamp) AS y FROM t;
-- error UnsupportedError
--| NTILE must know its whole partition, and a stream has no end (line 3, column 11)
--|   SELECT k, NTILE(4) OVER (PARTITION BY k ORDER BY timestamp) AS y FROM t;
--|             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: PARTITION BY something that ends, such as window_end or date_trunc('hour', timestamp); for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY x DESC) <= n, alone
