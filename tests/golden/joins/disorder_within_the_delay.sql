-- construct: interval join: left
-- Rows come out of order, within the delay.
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '3s');
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '3s');
START JOB j AS
SELECT a.k, a.x, b.y FROM a LEFT JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND;

-- step
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:05"}
--| {"k": "p", "x": 2, "timestamp": "2024-01-01 00:00:03"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:04"}
--| {"k": "p", "y": 11, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"k": "p", "x": 2, "y": 11}
--| {"k": "p", "x": 2, "y": 10}

-- step
-- in a:
--| {"k": "q", "x": 3, "timestamp": "2024-01-01 00:00:12"}
-- in b:
--| {"k": "q", "y": 12, "timestamp": "2024-01-01 00:00:09.5"}
--| {"k": "p", "y": 13, "timestamp": "2024-01-01 00:00:07"}
-- out j:
--| {"k": "p", "x": 1, "y": 13}

-- step
-- in a:
--| {"k": "e", "x": 4, "timestamp": "2024-01-01 00:00:30"}
-- in b:
--| {"k": "e", "y": 14, "timestamp": "2024-01-01 00:00:30"}
-- out j:
--| {"k": "e", "x": 4, "y": 14}
--| {"k": "q", "x": 3, "y": null}

-- final
