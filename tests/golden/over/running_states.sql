-- construct: aggregates in frames
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x, STDDEV_POP(x) OVER (PARTITION BY k ORDER BY timestamp) AS sd, ARG_MAX(k, x) OVER (ORDER BY
timestamp) AS best, BOOL_OR(x > 4) OVER (PARTITION BY k ORDER BY timestamp) AS big FROM t;

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
--| {"k": "b", "x": null, "sd": null, "best": "a", "big": null}
--| {"k": "a", "x": 3, "sd": 0.0, "best": "a", "big": false}
--| {"k": "a", "x": 1, "sd": 0.8164965809, "best": "a", "big": false}
--| {"k": "a", "x": 2, "sd": 0.8164965809, "best": "a", "big": false}

-- step: a gap
-- in t:
--| {"k": "b", "x": 4, "timestamp": "2024-01-01 00:00:06"}
--| {"k": "a", "x": 6, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"k": "b", "x": 7, "sd": 0.0, "best": "b", "big": true}
--| {"k": "a", "x": null, "sd": 0.8164965809, "best": "b", "big": false}
--| {"k": "a", "x": 5, "sd": 1.479019946, "best": "b", "big": true}

-- final
-- out j:
--| {"k": "b", "x": 4, "sd": 1.5, "best": "b", "big": true}
--| {"k": "a", "x": 6, "sd": 1.854723699, "best": "b", "big": true}
