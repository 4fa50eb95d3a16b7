-- construct: scalar subquery, correlated
-- A missing group counts as no rows, not as NULL.
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT sym, least, (SELECT count(*) FROM orders o WHERE o.sym = w.sym) AS orders, (SELECT sum(qty) FROM orders o WHERE o.sym = w.sym) AS qty FROM watched w;

-- step: no orders count 0, and sum up to NULL
-- in watched:
--| {"sym": "A", "least": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"sym": "B", "least": 2, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "insert", "sym": "A", "least": 1, "orders": 0, "qty": null}
--| {"op": "insert", "sym": "B", "least": 2, "orders": 0, "qty": null}

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 2, "sym": "A", "qty": 5, "timestamp": "2024-01-01 00:00:03"}
--| {"id": 3, "sym": "C", "qty": 7, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "sym": "A", "least": 1, "orders": 0, "qty": null}
--| {"op": "insert", "sym": "A", "least": 1, "orders": 2, "qty": 15}

-- step
-- in watched:
--| {"sym": "C", "least": 3, "timestamp": "2024-01-01 00:00:04"}
--| {"sym": null, "least": 4, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "insert", "sym": "C", "least": 3, "orders": 1, "qty": 7}
--| {"op": "insert", "sym": null, "least": 4, "orders": 0, "qty": null}

-- final
