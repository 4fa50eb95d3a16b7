-- construct: interval join: left
CREATE STREAM a (k VARCHAR, x BIGINT, timestamp TIMESTAMP);
CREATE STREAM b (k VARCHAR, y BIGINT, timestamp TIMESTAMP);
START JOB j AS
SELECT a.k, a.x, b.k AS bk, b.y FROM a LEFT JOIN b
ON a.k = b.k AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL '2' SECOND;

-- step: a pair, and rows that still wait
-- in a:
--| {"k": "p", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "q", "x": 2, "timestamp": "2024-01-01 00:00:02"}
-- in b:
--| {"k": "p", "y": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "r", "y": 11, "timestamp": "2024-01-01 00:00:02.5"}
-- out j:
--| {"k": "p", "x": 1, "bk": "p", "y": 10}

-- step: at the bound itself a match may still come
-- in a:
--| {"k": "s", "x": 3, "timestamp": "2024-01-01 00:00:04"}
-- in b:
--| {"k": "q", "y": 12, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"k": "q", "x": 2, "bk": "q", "y": 12}

-- step: past it none can
-- in a:
--| {"k": "t", "x": 4, "timestamp": "2024-01-01 00:00:06.001"}
-- in b:
--| {"k": "u", "y": 13, "timestamp": "2024-01-01 00:00:06.001"}
-- out j:
--| {"k": "s", "x": 3, "bk": null, "y": null}

-- step: a NULL key matches nothing
-- in a:
--| {"k": null, "x": 5, "timestamp": "2024-01-01 00:00:09"}
-- in b:
--| {"k": null, "y": 14, "timestamp": "2024-01-01 00:00:09"}
-- in a:
--| {"k": "z", "x": 6, "timestamp": "2024-01-01 00:00:20"}
-- in b:
--| {"k": "z", "y": 15, "timestamp": "2024-01-01 00:00:20"}
-- out j:
--| {"k": "z", "x": 6, "bk": "z", "y": 15}
--| {"k": "t", "x": 4, "bk": null, "y": null}
--| {"k": null, "x": 5, "bk": null, "y": null}

-- final
