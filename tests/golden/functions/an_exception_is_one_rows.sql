-- construct: Python functions
-- The row goes to the dead letters with the function, the exception and its text.
CREATE STREAM t (price DOUBLE, quantity BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT risk(price, quantity) AS r FROM t;

-- step
-- in t:
--| {"price": 2, "quantity": 3, "timestamp": "2024-01-01 00:00:01"}
--| {"price": -1, "quantity": 3, "timestamp": "2024-01-01 00:00:02"}
--| {"price": 4, "quantity": 5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"r": 6.0}
--| {"r": 20.0}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "function risk: ValueError: negative price -1.0", "path": "project", "raw": "{\"price\": -1.0, \"quantity\": 3, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}

-- oracle:
--| SELECT price * quantity AS r FROM t WHERE price >= 0
