-- construct: refusals of subqueries
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, (SELECT count(*) FROM watched w WHERE w.timestamp <= o.timestamp) AS n FROM orders o;
-- error UnsupportedError
--| a scalar subquery compared with the outer query by more than = (line 3, column 65)
--|   START JOB j AS SELECT id, (SELECT count(*) FROM watched w WHERE w.timestamp <= o.timestamp) AS n FROM orders o;
--|                                                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: compare with = only; for rows up to a time write a window function, or a join with GROUP BY
