-- construct: subquery over a WITH part
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE VIEW large AS SELECT sym, sum(qty) AS qty FROM orders GROUP BY sym HAVING sum(qty) > 25;
START JOB j AS WITH few AS (SELECT sym FROM orders GROUP BY sym HAVING count(*) < 3) SELECT id, sym, (SELECT qty FROM large l WHERE l.sym = o.sym) AS total FROM orders o WHERE sym IN (SELECT sym FROM few);

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 30, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "insert", "id": 1, "sym": "A", "total": null}
--| {"op": "insert", "id": 2, "sym": "B", "total": 30}

-- step
-- in orders:
--| {"id": 3, "sym": "A", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "delete", "id": 1, "sym": "A", "total": null}
--| {"op": "insert", "id": 1, "sym": "A", "total": 30}
--| {"op": "insert", "id": 3, "sym": "A", "total": 30}

-- step: three are too many
-- in orders:
--| {"id": 4, "sym": "A", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "id": 1, "sym": "A", "total": 30}
--| {"op": "delete", "id": 3, "sym": "A", "total": 30}

-- final
