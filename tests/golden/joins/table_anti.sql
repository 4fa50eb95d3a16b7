-- construct: stream with table
-- oracle: none
-- Each payment meets the rates that stand when it is processed; what was joined stays.
CREATE TABLE rates (cur VARCHAR, rate DOUBLE, timestamp TIMESTAMP, PRIMARY KEY (cur));
CREATE STREAM pay (id BIGINT, cur VARCHAR, amount DOUBLE, timestamp TIMESTAMP);
START JOB j AS
SELECT p.id FROM pay p ANTI JOIN rates r ON p.cur = r.cur;

-- step: no rate yet
-- in pay:
--| {"id": 1, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"id": 1}

-- step
-- in rates:
--| {"cur": "EUR", "rate": 1.1, "timestamp": "2024-01-01 00:00:01"}

-- step
-- in pay:
--| {"id": 2, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "cur": "USD", "amount": 100, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"id": 3}

-- step: a rate changes, a rate comes
-- in rates:
--| {"cur": "EUR", "rate": 1.2, "timestamp": "2024-01-01 00:00:03"}
--| {"cur": "USD", "rate": 1, "timestamp": "2024-01-01 00:00:03"}

-- step
-- in pay:
--| {"id": 4, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:04"}
--| {"id": 5, "cur": "USD", "amount": 100, "timestamp": "2024-01-01 00:00:04"}

-- step: a rate goes
-- delete rates:
--| {"cur": "EUR"}

-- step
-- in pay:
--| {"id": 6, "cur": "EUR", "amount": 100, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"id": 6}

-- final
