-- construct: ANY and ALL
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, qty FROM orders o WHERE qty > ANY (SELECT least FROM watched w WHERE w.sym = o.sym);

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}

-- step
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:04"}
--| {"sym": "B", "least": 15, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "insert", "id": 2, "qty": 20}

-- step
-- in watched:
--| {"sym": "A", "least": 5, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "insert", "id": 1, "qty": 10}

-- final
