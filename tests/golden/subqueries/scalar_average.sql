-- construct: scalar subquery
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, qty FROM orders WHERE qty > (SELECT avg(qty) FROM orders);

-- step: the average of one is itself
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}

-- step: the average is 15
-- in orders:
--| {"id": 2, "sym": "A", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "insert", "id": 2, "qty": 20}

-- step: the average is 40
-- in orders:
--| {"id": 3, "sym": "B", "qty": 90, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "id": 2, "qty": 20}
--| {"op": "insert", "id": 3, "qty": 90}

-- step: a NULL is no number
-- in orders:
--| {"id": 4, "sym": "B", "qty": null, "timestamp": "2024-01-01 00:00:04"}

-- final
