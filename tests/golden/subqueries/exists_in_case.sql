-- construct: EXISTS in an expression
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, CASE WHEN EXISTS (SELECT 1 FROM watched w WHERE w.sym = o.sym) THEN 'watched' ELSE 'plain' END AS kind FROM orders o;

-- step: orders first
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "sym": null, "qty": 30, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "insert", "id": 1, "kind": "plain"}
--| {"op": "insert", "id": 2, "kind": "plain"}
--| {"op": "insert", "id": 3, "kind": "plain"}

-- step: a symbol is watched
-- in watched:
--| {"sym": "A", "least": 5, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "delete", "id": 1, "kind": "plain"}
--| {"op": "insert", "id": 1, "kind": "watched"}

-- step: one without a symbol
-- in watched:
--| {"sym": null, "least": null, "timestamp": "2024-01-01 00:00:06"}

-- final
