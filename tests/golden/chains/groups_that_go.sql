-- construct: changelog through a topic
-- A group that no longer meets HAVING is deleted from the topic, and from what counts its rows.
CREATE TABLE positions (trader VARCHAR, symbol VARCHAR, qty BIGINT, PRIMARY KEY (trader, symbol));
START JOB large AS SELECT trader, SUM(qty) AS qty FROM positions GROUP BY trader HAVING SUM(qty) > 10;
START JOB heads AS SELECT COUNT(*) AS traders, SUM(qty) AS qty FROM large;

-- step
-- in positions:
--| {"trader": "T1", "symbol": "A", "qty": 8}
--| {"trader": "T1", "symbol": "B", "qty": 7}
--| {"trader": "T2", "symbol": "A", "qty": 11}
-- out large:
--| {"op": "upsert", "trader": "T2", "qty": 11}
--| {"op": "upsert", "trader": "T1", "qty": 15}
-- out heads:
--| {"op": "upsert", "traders": 2, "qty": 26}

-- step: T1 falls below
-- in positions:
--| {"trader": "T1", "symbol": "B", "qty": 1}
-- out large:
--| {"op": "delete", "trader": "T1", "qty": 15}
-- out heads:
--| {"op": "upsert", "traders": 1, "qty": 11}

-- step: T2's only position is deleted
-- delete positions:
--| {"trader": "T2", "symbol": "A"}
-- out large:
--| {"op": "delete", "trader": "T2", "qty": 11}
-- out heads:
--| {"op": "upsert", "traders": 0, "qty": null}
