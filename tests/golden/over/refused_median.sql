-- construct: refusals of window functions
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, MEDIAN(x) OVER (ORDER BY timestamp) AS y FROM t;
-- error UnsupportedError
--| MEDIAN(x) over an unbounded history would remember every value (line 3, column 11)
--|   SELECT k, MEDIAN(x) OVER (ORDER BY timestamp) AS y FROM t;
--|             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: aggregate over a window (GROUP BY …, TUMBLE(…)), or bound the frame with ROWS n PRECEDING
