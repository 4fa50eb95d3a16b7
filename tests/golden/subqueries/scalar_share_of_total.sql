-- construct: scalar subquery beside aggregates
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT sym, sum(qty) AS qty, round(100.0 * sum(qty) / (SELECT sum(qty) FROM orders), 1) AS share FROM orders GROUP BY sym;

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "upsert", "sym": "A", "qty": 10, "share": 100.0}

-- step
-- in orders:
--| {"id": 2, "sym": "B", "qty": 30, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "sym": "B", "qty": 30, "share": 75.0}
--| {"op": "upsert", "sym": "A", "qty": 10, "share": 25.0}

-- step
-- in orders:
--| {"id": 3, "sym": "A", "qty": 20, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "sym": "B", "qty": 30, "share": 50.0}
--| {"op": "upsert", "sym": "A", "qty": 30, "share": 50.0}

-- final
