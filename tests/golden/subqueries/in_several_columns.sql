-- construct: IN (subquery)
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id FROM orders WHERE (sym, qty) IN (SELECT sym, max(least) FROM watched GROUP BY sym);

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "A", "qty": 15, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "sym": "B", "qty": 5, "timestamp": "2024-01-01 00:00:03"}

-- step: the greatest is 5
-- in watched:
--| {"sym": "A", "least": 5, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "insert", "id": 1}

-- step: the greatest is 15
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:05"}
--| {"sym": "B", "least": null, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "delete", "id": 1}
--| {"op": "insert", "id": 2}

-- final
