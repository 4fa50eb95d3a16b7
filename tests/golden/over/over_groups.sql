-- construct: OVER a changelog
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, s, RANK() OVER (ORDER BY s DESC) AS r, s / SUM(s) OVER () AS share FROM (SELECT k, SUM(x) AS
s FROM t GROUP BY k);

-- step
-- in t:
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 9, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "x": 3, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "k": "a", "s": 14, "r": 1, "share": 0.8235294118}
--| {"op": "upsert", "k": "b", "s": 3, "r": 2, "share": 0.1764705882}

-- step: a third row
-- in t:
--| {"k": "a", "x": 7, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "k": "a", "s": 21, "r": 1, "share": 0.875}
--| {"op": "upsert", "k": "b", "s": 3, "r": 2, "share": 0.125}

-- step: lesser values
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:04"}
--| {"k": "b", "x": 1, "timestamp": "2024-01-01 00:00:03.5"}
-- out j:
--| {"op": "upsert", "k": "a", "s": 22, "r": 1, "share": 0.8461538462}
--| {"op": "upsert", "k": "b", "s": 4, "r": 2, "share": 0.1538461538}

-- final
