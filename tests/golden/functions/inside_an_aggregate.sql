-- construct: Python functions
-- A row whose call raises is not in the sum.
CREATE STREAM t (k VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT k, SUM(risk(price, quantity)) AS r FROM t GROUP BY k;

-- step
-- in t:
--| {"k": "a", "price": 2, "quantity": 3, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "price": -1, "quantity": 3, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "price": 4, "quantity": 5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "k": "a", "r": 6.0}
--| {"op": "upsert", "k": "b", "r": 20.0}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 1, "reason": "function risk: ValueError: negative price -1.0", "path": "group", "raw": "{\"k\": \"a\", \"price\": -1.0, \"quantity\": 3, \"timestamp\": \"2024-01-01 00:00:02\"}", "encoding": "utf-8"}

-- step
-- in t:
--| {"k": "a", "price": 1, "quantity": 1, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "upsert", "k": "a", "r": 7.0}

-- oracle:
--| SELECT k, SUM(price * quantity) AS r FROM t WHERE price >= 0 GROUP BY k
