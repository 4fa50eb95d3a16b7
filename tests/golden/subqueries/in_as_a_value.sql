-- construct: IN (subquery) in an expression
-- Three values: once a NULL is among the values, nothing is false any more.
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym IN (SELECT sym FROM watched) AS is_watched FROM orders;

-- step: orders first
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "sym": null, "qty": 30, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "insert", "id": 1, "is_watched": false}
--| {"op": "insert", "id": 2, "is_watched": false}
--| {"op": "insert", "id": 3, "is_watched": false}

-- step: a symbol is watched
-- in watched:
--| {"sym": "A", "least": 5, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "delete", "id": 1, "is_watched": false}
--| {"op": "delete", "id": 3, "is_watched": false}
--| {"op": "insert", "id": 3, "is_watched": null}
--| {"op": "insert", "id": 1, "is_watched": true}

-- step: again, and another order
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:05"}
-- in orders:
--| {"id": 4, "sym": "A", "qty": 40, "timestamp": "2024-01-01 00:00:05"}
--| {"id": 5, "sym": "C", "qty": 50, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "insert", "id": 4, "is_watched": true}
--| {"op": "insert", "id": 5, "is_watched": false}

-- step: one without a symbol
-- in watched:
--| {"sym": null, "least": null, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "delete", "id": 2, "is_watched": false}
--| {"op": "delete", "id": 5, "is_watched": false}
--| {"op": "insert", "id": 2, "is_watched": null}
--| {"op": "insert", "id": 5, "is_watched": null}

-- final
