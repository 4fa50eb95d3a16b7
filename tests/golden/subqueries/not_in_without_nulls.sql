-- construct: NOT IN (subquery)
-- Columns that are NOT NULL make it a plain anti join.
CREATE STREAM orders (id BIGINT, sym VARCHAR NOT NULL, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR NOT NULL, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym FROM orders WHERE sym NOT IN (SELECT sym FROM watched);

-- step
-- in orders:
--| {"id": 1, "sym": "A", "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "insert", "id": 1, "sym": "A"}
--| {"op": "insert", "id": 2, "sym": "B"}

-- step
-- in watched:
--| {"sym": "B", "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "id": 2, "sym": "B"}

-- step: no value of a NOT NULL column is NULL
-- in orders:
--| {"id": 3, "sym": "B", "timestamp": "2024-01-01 00:00:04"}
--| {"id": 4, "sym": "C", "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"op": "insert", "id": 4, "sym": "C"}

-- final
