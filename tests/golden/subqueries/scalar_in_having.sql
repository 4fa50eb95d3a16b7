-- construct: subquery in HAVING
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM watched (sym VARCHAR, least BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT sym, sum(qty) AS qty FROM orders o GROUP BY sym HAVING sum(qty) >= (SELECT min(least) FROM watched w WHERE w.sym = o.sym);

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 20, "timestamp": "2024-01-01 00:00:01"}

-- step
-- in watched:
--| {"sym": "A", "least": 15, "timestamp": "2024-01-01 00:00:02"}
--| {"sym": "B", "least": 15, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "sym": "B", "qty": 20}

-- step
-- in orders:
--| {"id": 3, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "sym": "A", "qty": 20}

-- step: the bar is lowered, which changes nothing
-- in watched:
--| {"sym": "A", "least": 1, "timestamp": "2024-01-01 00:00:04"}

-- final
