-- construct: EXISTS within a time bound
-- A bound in time makes it a semi join of intervals: rows only come.
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym FROM orders o WHERE EXISTS (SELECT 1 FROM watched w WHERE w.sym = o.sym AND w.timestamp BETWEEN o.timestamp - INTERVAL 2 SECOND AND o.timestamp);

-- step
-- in watched:
--| {"sym": "A", "least": 1, "timestamp": "2024-01-01 00:00:01"}
-- in orders:
--| {"id": 1, "sym": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 1, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"id": 1, "sym": "A"}

-- step
-- in orders:
--| {"id": 3, "sym": "A", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
--| {"id": 4, "sym": "A", "qty": 1, "timestamp": "2024-01-01 00:00:04"}
-- in watched:
--| {"sym": "B", "least": 1, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"id": 3, "sym": "A"}

-- final
