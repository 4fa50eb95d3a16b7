-- construct: types: LIST
-- NULLs inside a list are values of it; the list is the group.
CREATE STREAM t (xs BIGINT[], timestamp TIMESTAMP);
START JOB sums AS SELECT list_sum(xs) AS s, len(xs) AS n, xs[1] AS first FROM t;
START JOB groups AS SELECT xs, COUNT(*) AS c FROM t GROUP BY xs;

-- step
-- in t:
--| {"xs": [1, null, 2], "timestamp": "2024-01-01 00:00:01"}
--| {"xs": [], "timestamp": "2024-01-01 00:00:02"}
--| {"xs": null, "timestamp": "2024-01-01 00:00:03"}
--| {"xs": [1, null, 2], "timestamp": "2024-01-01 00:00:04"}
-- out sums:
--| {"s": 3, "n": 3, "first": 1}
--| {"s": null, "n": 0, "first": null}
--| {"s": null, "n": null, "first": null}
--| {"s": 3, "n": 3, "first": 1}
-- out groups:
--| {"op": "upsert", "xs": null, "c": 1}
--| {"op": "upsert", "xs": [], "c": 1}
--| {"op": "upsert", "xs": [1, null, 2], "c": 2}

-- step
-- in t:
--| {"xs": [null], "timestamp": "2024-01-01 00:00:01"}
--| {"xs": [1, "two"], "timestamp": "2024-01-01 00:00:02"}
--| {"xs": [], "timestamp": "2024-01-01 00:00:03"}
-- out sums:
--| {"s": null, "n": 1, "first": null}
--| {"s": null, "n": 0, "first": null}
-- out sums.dlq:
--| {"job": "sums", "topic": "t", "partition": 0, "offset": 5, "reason": "expected a whole number at xs[1], got 'two'", "path": "xs[1]", "raw": "{\"xs\": [1, \"two\"], \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}
-- out groups:
--| {"op": "upsert", "xs": [], "c": 2}
--| {"op": "upsert", "xs": [null], "c": 1}
-- out groups.dlq:
--| {"job": "groups", "topic": "t", "partition": 0, "offset": 5, "reason": "expected a whole number at xs[1], got 'two'", "path": "xs[1]", "raw": "{\"xs\": [1, \"two\"], \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}
