-- construct: ANY and ALL
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, qty FROM orders WHERE qty >= ALL (SELECT least FROM watched);

-- step: of no values all are smaller
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "sym": "B", "qty": null, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "insert", "id": 1, "qty": 10}
--| {"op": "insert", "id": 2, "qty": 20}
--| {"op": "insert", "id": 3, "qty": null}

-- step
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "delete", "id": 1, "qty": 10}
--| {"op": "delete", "id": 3, "qty": null}

-- step: a NULL leaves it open
-- in watched:
--| {"sym": "A", "least": null, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "delete", "id": 2, "qty": 20}

-- final
