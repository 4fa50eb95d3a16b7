-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, SUM(x) OVER (ORDER BY timestamp
  ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS y FROM t;
-- error UnsupportedError
--| SUM(x) over a frame to UNBOUNDED FOLLOWING would wait for the end of the stream (line 3, column 11)
--|   SELECT k, SUM(x) OVER (ORDER BY timestamp
--|             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: end the frame at CURRENT ROW or n FOLLOWING, or PARTITION BY something that ends, such as window_end
