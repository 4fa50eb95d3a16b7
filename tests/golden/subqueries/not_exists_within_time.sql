-- construct: NOT EXISTS within a time bound
-- An order comes out when the time in which it could have been watched is over.
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym FROM orders o WHERE NOT EXISTS (SELECT 1 FROM watched w WHERE w.sym = o.sym AND w.timestamp BETWEEN o.timestamp AND o.timestamp + INTERVAL 2 SECOND);

-- step: nobody knows yet
-- in orders:
--| {"id": 1, "sym": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 1, "timestamp": "2024-01-01 00:00:02"}

-- step: A came in time; B has until 4
-- in watched:
--| {"sym": "A", "least": 1, "timestamp": "2024-01-01 00:00:03"}
-- in orders:
--| {"id": 3, "sym": "C", "qty": 1, "timestamp": "2024-01-01 00:00:06"}

-- step: time has passed 4
-- in watched:
--| {"sym": "A", "least": 1, "timestamp": "2024-01-01 00:00:07"}
-- out j:
--| {"id": 2, "sym": "B"}

-- final
-- out j:
--| {"id": 3, "sym": "C"}
