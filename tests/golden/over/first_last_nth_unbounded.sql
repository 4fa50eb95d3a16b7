-- construct: FIRST_VALUE, LAST_VALUE, NTH_VALUE
-- The first row of a partition is known at once, however far the frame goes on.
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY timestamp) AS f, LAST_VALUE(x) OVER
(PARTITION BY k ORDER BY timestamp) AS l, NTH_VALUE(x, 3) OVER (PARTITION BY k ORDER BY timestamp ROWS UNBOUNDED
PRECEDING) AS n, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED
FOLLOWING) AS whole FROM t;

-- step: ties and disorder
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 2, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "b", "x": null, "timestamp": "2024-01-01 00:00:00.5"}
--| {"k": "a", "x": 3, "timestamp": "2024-01-01 00:00:00.5"}

-- step: NULLs
-- in t:
--| {"k": "b", "x": 7, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "x": null, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"k": "b", "x": null, "f": null, "l": null, "n": null, "whole": null}
--| {"k": "a", "x": 3, "f": 3, "l": 3, "n": null, "whole": 3}
--| {"k": "a", "x": 1, "f": 3, "l": 2, "n": null, "whole": 3}
--| {"k": "a", "x": 2, "f": 3, "l": 2, "n": 2, "whole": 3}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "f": null, "l": 7, "n": null, "whole": null}
--| {"k": "a", "x": null, "f": 3, "l": null, "n": 2, "whole": 3}
--| {"k": "a", "x": 5, "f": 3, "l": 5, "n": 2, "whole": 3}

-- final
-- out j:
--| {"k": "b", "x": 4, "f": null, "l": 4, "n": 4, "whole": null}
--| {"k": "a", "x": 6, "f": 3, "l": 6, "n": 2, "whole": 3}

-- oracle:
--| SELECT k, x, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY __ts, __pos) AS f, LAST_VALUE(x ORDER BY __ts, __pos)
--| OVER (PARTITION BY k ORDER BY timestamp) AS l, NTH_VALUE(x, 3) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS
--| UNBOUNDED PRECEDING) AS n, FIRST_VALUE(x) OVER (PARTITION BY k ORDER BY __ts, __pos ROWS BETWEEN UNBOUNDED
--| PRECEDING AND UNBOUNDED FOLLOWING) AS whole FROM t
