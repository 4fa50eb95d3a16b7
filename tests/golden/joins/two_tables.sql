-- construct: stream with table
-- oracle: none
-- Each payment meets the rates that stand when it is processed; what was joined stays.
CREATE TABLE rates (cur VARCHAR, rate DOUBLE, timestamp TIMESTAMP, PRIMARY KEY (cur));
CREATE STREAM pay (id BIGINT, cur VARCHAR, amount DOUBLE, timestamp TIMESTAMP);
CREATE TABLE names (cur VARCHAR, name VARCHAR, PRIMARY KEY (cur));
START JOB j AS
SELECT p.id, r.rate, n.name FROM pay p JOIN rates r USING (cur) LEFT JOIN names n USING (cur);

-- step
-- in rates:
--| {"cur": "EUR", "rate": 1.1, "timestamp": "2024-01-01 00:00:01"}
--| {"cur": "USD", "rate": 1, "timestamp": "2024-01-01 00:00:01"}
-- in names:
--| {"cur": "EUR", "name": "euro"}

-- step
-- in pay:
--| {"id": 1, "cur": "EUR", "amount": 1, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 2, "cur": "USD", "amount": 1, "timestamp": "2024-01-01 00:00:02"}
--| {"id": 3, "cur": "GBP", "amount": 1, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"id": 1, "rate": 1.1, "name": "euro"}
--| {"id": 2, "rate": 1.0, "name": null}

-- final
