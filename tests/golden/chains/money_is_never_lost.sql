-- construct: changelog through a topic
-- Balances of disordered transfers: the total is 0 in every state, because all four views see the same transfers.
CREATE STREAM transfers (from_account VARCHAR, to_account VARCHAR, amount BIGINT, ts TIMESTAMP);
START JOB credits AS SELECT to_account AS account, SUM(amount) AS credits FROM transfers GROUP BY to_account;
START JOB debits AS SELECT from_account AS account, SUM(amount) AS debits FROM transfers GROUP BY from_account;
START JOB balances AS
SELECT COALESCE(c.account, d.account) AS account, COALESCE(credits, 0) - COALESCE(debits, 0) AS balance
FROM credits c FULL JOIN debits d ON c.account = d.account;
START JOB total AS SELECT SUM(balance) AS total FROM balances;

-- step
-- in transfers:
--| {"from_account": "A", "to_account": "B", "amount": 10, "ts": "2024-01-01 00:00:05"}
-- out credits:
--| {"op": "upsert", "account": "B", "credits": 10}
-- out debits:
--| {"op": "upsert", "account": "A", "debits": 10}
-- out balances:
--| {"op": "insert", "account": "B", "balance": 10}
--| {"op": "insert", "account": "A", "balance": -10}
-- out total:
--| {"op": "upsert", "total": 0}

-- step: the total is said once and stays
-- in transfers:
--| {"from_account": "B", "to_account": "C", "amount": 4, "ts": "2024-01-01 00:00:01"}
--| {"from_account": "C", "to_account": "A", "amount": 3, "ts": "2024-01-01 00:00:03"}
-- query SELECT SUM(balance) AS total FROM balances
--| {"total": 0}
-- out credits:
--| {"op": "upsert", "account": "A", "credits": 3}
--| {"op": "upsert", "account": "C", "credits": 4}
-- out debits:
--| {"op": "upsert", "account": "B", "debits": 4}
--| {"op": "upsert", "account": "C", "debits": 3}
-- out balances:
--| {"op": "delete", "account": "B", "balance": 10}
--| {"op": "delete", "account": "A", "balance": -10}
--| {"op": "insert", "account": "B", "balance": 6}
--| {"op": "insert", "account": "A", "balance": -7}
--| {"op": "insert", "account": "C", "balance": 1}

-- step: an account comes to nothing
-- in transfers:
--| {"from_account": "C", "to_account": "B", "amount": 1, "ts": "2024-01-01 00:00:02"}
-- query SELECT account, balance FROM balances ORDER BY account
--| {"account": "A", "balance": -7}
--| {"account": "B", "balance": 7}
--| {"account": "C", "balance": 0}
-- out credits:
--| {"op": "upsert", "account": "B", "credits": 11}
-- out debits:
--| {"op": "upsert", "account": "C", "debits": 4}
-- out balances:
--| {"op": "delete", "account": "B", "balance": 6}
--| {"op": "delete", "account": "C", "balance": 1}
--| {"op": "insert", "account": "C", "balance": 0}
--| {"op": "insert", "account": "B", "balance": 7}
