-- construct: refusals of subqueries
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, (SELECT least FROM watched w WHERE w.sym = o.sym AND w.timestamp <= o.timestamp ORDER BY w.timestamp DESC LIMIT 1) AS n FROM orders o;
-- error UnsupportedError
--| a scalar subquery that may have several rows (line 3, column 35)
--|   START JOB j AS SELECT id, (SELECT least FROM watched w WHERE w.sym = o.sym AND w.timestamp <= o.timestamp ORDER BY w.timestamp DESC LIMIT 1) AS n FROM orders o;
--|                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| hint: make it an aggregate, such as max(x) or arg_max(x, time), or look a table's row up by its whole primary key; for the newest row before another one write ASOF LEFT JOIN
