-- construct: temporal join
-- Each payment takes the rate that was in force at its own time, whenever either of them came.
CREATE TABLE rates (cur VARCHAR, rate DOUBLE, timestamp TIMESTAMP, PRIMARY KEY (cur));
CREATE STREAM pay (id BIGINT, cur VARCHAR, amount DOUBLE, timestamp TIMESTAMP);
START JOB j AS
SELECT p.id, p.amount * r.rate AS value FROM pay p
JOIN rates FOR SYSTEM_TIME AS OF p.timestamp AS r ON p.cur = r.cur;

-- step: payments wait until the rates are past them
-- in pay:
--| {"id": 1, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 2, "cur": "USD", "amount": 100, "timestamp": "2024-01-01 00:00:03"}
--| {"id": 3, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:05"}

-- step
-- in rates:
--| {"cur": "EUR", "rate": 1.1, "timestamp": "2024-01-01 00:00:01"}
--| {"cur": "EUR", "rate": 1.2, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"id": 1, "value": 110.0}

-- step
-- in pay:
--| {"id": 4, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:06"}
-- in rates:
--| {"cur": "EUR", "rate": 1.3, "timestamp": "2024-01-01 00:00:06.5"}
--| {"cur": "USD", "rate": 1, "timestamp": "2024-01-01 00:00:07"}
-- out j:
--| {"id": 3, "value": 120.0}
--| {"id": 4, "value": 120.0}

-- step
-- in pay:
--| {"id": 5, "cur": "USD", "amount": 100, "timestamp": "2024-01-01 00:00:07"}

-- final
-- out j:
--| {"id": 5, "value": 100.0}

-- oracle:
--| SELECT p.id, p.amount * r.rate AS value FROM pay p JOIN (VALUES (1, 1.1), (3, 1.2), (4, 1.2), (5, 1.0)) AS r(id, rate) USING (id)
