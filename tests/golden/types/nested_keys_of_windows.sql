-- construct: types: LIST
-- A list of structs as partition and as key of a window.
CREATE STREAM t (legs STRUCT(s VARCHAR, n BIGINT)[], x BIGINT, timestamp TIMESTAMP);
START JOB sums AS SELECT legs, SUM(x) AS s, window_end FROM t GROUP BY legs, TUMBLE(timestamp, INTERVAL 10 SECOND);
START JOB totals AS SELECT x, SUM(x) OVER (PARTITION BY legs ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS s FROM t;

-- step
-- in t:
--| {"legs": [{"s": "A", "n": 1}], "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"legs": [{"s": "A", "n": null}], "x": 2, "timestamp": "2024-01-01 00:00:02"}
--| {"legs": [{"s": "A", "n": 1}], "x": 3, "timestamp": "2024-01-01 00:00:03"}
--| {"legs": [], "x": 4, "timestamp": "2024-01-01 00:00:04"}
--| {"legs": null, "x": 5, "timestamp": "2024-01-01 00:00:05"}
--| {"legs": [{"s": "A"}], "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out totals:
--| {"x": 1, "s": 1}
--| {"x": 2, "s": 2}
--| {"x": 3, "s": 4}
--| {"x": 4, "s": 4}
--| {"x": 5, "s": 5}
--| {"x": 6, "s": 8}

-- final
-- out sums:
--| {"legs": [], "s": 4, "window_end": "2024-01-01 00:00:10"}
--| {"legs": [{"s": "A", "n": 1}], "s": 4, "window_end": "2024-01-01 00:00:10"}
--| {"legs": [{"s": "A", "n": null}], "s": 8, "window_end": "2024-01-01 00:00:10"}
--| {"legs": null, "s": 5, "window_end": "2024-01-01 00:00:10"}

-- oracle sums:
--| SELECT legs, SUM(x) AS s, make_timestamp((__ts // 10000000 + 1) * 10000000) AS window_end FROM t GROUP BY ALL
-- oracle totals:
--| SELECT x, SUM(x) OVER (PARTITION BY legs ORDER BY __ts, __pos ROWS UNBOUNDED PRECEDING) AS s FROM t
