-- construct: EXISTS
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym, qty FROM orders o WHERE EXISTS (SELECT 1 FROM watched w WHERE w.sym = o.sym AND o.qty > w.least);

-- step: orders first
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "sym": null, "qty": 30, "timestamp": "2024-01-01 00:00:03"}

-- step: 10 is not above 15
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:04"}

-- step: 10 is above 5
-- in watched:
--| {"sym": "A", "least": 5, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "insert", "id": 1, "sym": "A", "qty": 10}

-- step: one without a symbol
-- in watched:
--| {"sym": null, "least": null, "timestamp": "2024-01-01 00:00:06"}

-- final
