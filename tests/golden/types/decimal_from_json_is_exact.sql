-- construct: types: DECIMAL
-- Neither a number with many digits nor 0.1 passes through a float.
CREATE STREAM t (k VARCHAR, x DECIMAL(38,18), timestamp TIMESTAMP);
START JOB j AS SELECT x, x * 3 = 0.3 AS tenth FROM t;

-- step
-- in t:
--| {"k": "a", "x": 0.1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 12345678901234567890.123456789012345678, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "a", "x": "0.000000000000000001", "timestamp": "2024-01-01 00:00:03"}
--| {"k": "a", "x": null, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"x": 0.100000000000000000, "tenth": true}
--| {"x": 12345678901234567890.123456789012345678, "tenth": false}
--| {"x": 0.000000000000000001, "tenth": false}
--| {"x": null, "tenth": null}
