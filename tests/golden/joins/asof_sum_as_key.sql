-- construct: ASOF join
-- A sum of integers is a HUGEINT; it meets an INTEGER as DuckDB compares them.
CREATE STREAM s (g INTEGER, v BIGINT, ts TIMESTAMP);
START JOB j AS
WITH sums AS (SELECT window_end, SUM(v) AS total FROM s GROUP BY TUMBLE(ts, INTERVAL 7 SECOND))
SELECT l.window_end, l.total, r.ts AS met FROM sums AS l ASOF LEFT JOIN s AS r ON l.total = r.g AND l.window_end >= r.ts;

-- step
-- in s:
--| {"g": 3, "v": 1, "ts": "2024-01-01 00:00:01"}
--| {"g": 1, "v": 2, "ts": "2024-01-01 00:00:02"}
--| {"g": 3, "v": 5, "ts": "2024-01-01 00:00:09"}
--| {"g": 3, "v": null, "ts": "2024-01-01 00:00:20"}
-- out j:
--| {"window_end": "2024-01-01 00:00:04", "total": 3, "met": "2024-01-01 00:00:01"}
--| {"window_end": "2024-01-01 00:00:11", "total": 5, "met": null}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:25", "total": null, "met": null}

-- oracle:
--| WITH sums AS (SELECT make_timestamp((__ts // 7000000 + 1) * 7000000) AS window_end, SUM(v) AS total FROM s GROUP BY 1)
--| SELECT l.window_end, l.total, r.ts AS met FROM sums AS l ASOF LEFT JOIN s AS r ON l.total = r.g AND l.window_end >= r.ts
