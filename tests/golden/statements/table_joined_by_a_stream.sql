-- construct: CREATE TABLE
-- oracle: none
-- Each order meets the limit that stands when it is processed; a trader without a limit is not checked.
CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader));
CREATE STREAM orders (trader VARCHAR, qty BIGINT, timestamp TIMESTAMP);
INSERT INTO limits VALUES ('T1', 100);
START JOB breaches AS SELECT o.trader, o.qty, l.most FROM orders o JOIN limits l ON o.trader = l.trader WHERE o.qty > l.most;

-- step
-- in orders:
--| {"trader": "T1", "qty": 150, "timestamp": "2024-01-01 00:00:00"}
--| {"trader": "T2", "qty": 150, "timestamp": "2024-01-01 00:00:01"}
-- out breaches:
--| {"trader": "T1", "qty": 150, "most": 100}

-- step: a new limit, by a statement
INSERT INTO limits VALUES ('T1', 200), ('T2', 10);
-- in orders:
--| {"trader": "T1", "qty": 150, "timestamp": "2024-01-01 00:00:02"}
--| {"trader": "T2", "qty": 150, "timestamp": "2024-01-01 00:00:03"}
-- out breaches:
--| {"trader": "T2", "qty": 150, "most": 10}
