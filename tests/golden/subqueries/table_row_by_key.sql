-- construct: scalar subquery over a table
-- As in a join with a table: each order meets the row that the table has when the order is processed.
-- oracle: none
CREATE TABLE caps (sym VARCHAR, cap BIGINT, PRIMARY KEY (sym));
CREATE STREAM orders (id BIGINT, sym VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT id, sym, qty > (SELECT cap FROM caps c WHERE c.sym = o.sym) AS above FROM orders o;

-- step
-- in caps:
--| {"sym": "A", "cap": 15}

-- step
-- in orders:
--| {"id": 1, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"id": 2, "sym": "B", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"id": 1, "sym": "A", "above": false}
--| {"id": 2, "sym": "B", "above": null}

-- step: what is out stays out
-- in caps:
--| {"sym": "A", "cap": 5}

-- step
-- in orders:
--| {"id": 3, "sym": "A", "qty": 10, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"id": 3, "sym": "A", "above": true}

-- final
