-- construct: stream with table
-- oracle: none
-- Each payment meets the rates that stand when it is processed; what was joined stays.
CREATE TABLE rates (cur VARCHAR, rate DOUBLE, timestamp TIMESTAMP, PRIMARY KEY (cur));
CREATE STREAM pay (id BIGINT, cur VARCHAR, amount DOUBLE, timestamp TIMESTAMP);
START JOB j AS
SELECT p.id, r.cur FROM pay p LEFT JOIN rates r ON p.amount > 100 * r.rate;

-- step
-- in rates:
--| {"cur": "EUR", "rate": 1.1, "timestamp": "2024-01-01 00:00:01"}
--| {"cur": "USD", "rate": 1, "timestamp": "2024-01-01 00:00:01"}

-- step
-- in pay:
--| {"id": 1, "cur": "x", "amount": 105, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 2, "cur": "x", "amount": 120, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "cur": "x", "amount": 90, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"id": 1, "cur": "USD"}
--| {"id": 2, "cur": "EUR"}
--| {"id": 2, "cur": "USD"}
--| {"id": 3, "cur": null}

-- final
