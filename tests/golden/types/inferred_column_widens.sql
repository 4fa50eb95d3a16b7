-- construct: inferred schemas
-- A field turns from whole numbers to fractions: the state is made anew, no row is lost, what has not changed stays silent.

-- step
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "x": 2, "timestamp": "2024-01-01 00:00:02"}
START JOB sums AS SELECT k, SUM(x) AS s FROM t GROUP BY k;
START JOB steps AS SELECT k, x - LAG(x) OVER (ORDER BY timestamp) AS d FROM t;
-- out sums:
--| {"op": "upsert", "k": "a", "s": 1}
--| {"op": "upsert", "k": "b", "s": 2}
-- out steps:
--| {"k": "a", "d": null}
--| {"k": "b", "d": 1}

-- step
-- in t:
--| {"k": "a", "x": 0.5, "timestamp": "2024-01-01 00:00:03"}
--| {"k": "a", "x": 3, "timestamp": "2024-01-01 00:00:04"}
-- query DESCRIBE t
--| {"column": "k", "type": "VARCHAR", "null": true, "key": false, "role": "", "known": "inferred from its first records"}
--| {"column": "x", "type": "DOUBLE", "null": true, "key": false, "role": "", "known": "inferred from its first records"}
--| {"column": "timestamp", "type": "TIMESTAMP", "null": true, "key": false, "role": "event time", "known": "inferred from its first records"}
-- out sums:
--| {"op": "upsert", "k": "a", "s": 4.5}
-- out steps:
--| {"k": "a", "d": -1.5}
--| {"k": "a", "d": 2.5}
