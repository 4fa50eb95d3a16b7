-- construct: wall_clock()
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB totals AS SELECT symbol, sum(qty) AS qty, wall_clock() AS at FROM trades GROUP BY symbol;
-- error UnsupportedError
--| wall_clock() over a changelog: a row would go with another time than it came with (line 2, column 53)
--|   START JOB totals AS SELECT symbol, sum(qty) AS qty, wall_clock() AS at FROM trades GROUP BY symbol;
--|                                                       ^^^^^^^^^^
--| hint: read it below, where rows are facts: FROM (SELECT *, wall_clock() AS seen FROM s)
