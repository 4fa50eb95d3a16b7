-- construct: interval join: full
-- An unqualified column of USING is the one that is there.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT k, timestamp, x, y FROM a FULL JOIN b USING (k, timestamp);

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:01"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "y": 11, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"k": "p", "timestamp": "2024-01-01 00:00:01", "x": 1, "y": 10}

-- step: what stands at the watermark waits
-- in a:
--| {"k": "s", "x": 3, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "t", "y": 12, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"k": "q", "timestamp": "2024-01-01 00:00:01", "x": 2, "y": null}
--| {"k": "r", "timestamp": "2024-01-01 00:00:01", "x": null, "y": 11}

-- final
-- out j:
--| {"k": "s", "timestamp": "2024-01-01 00:00:02", "x": 3, "y": null}
--| {"k": "t", "timestamp": "2024-01-01 00:00:02", "x": null, "y": 12}
