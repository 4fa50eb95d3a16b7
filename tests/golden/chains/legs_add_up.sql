-- construct: changelog through a topic
-- Two rows a transfer, through an append-only topic: a state never sees one of them alone.
CREATE STREAM transfers (from_account VARCHAR, to_account VARCHAR, amount BIGINT, ts TIMESTAMP);
START JOB legs AS
SELECT to_account AS account, amount, ts FROM transfers UNION ALL SELECT from_account, -amount, ts FROM transfers;
START JOB total AS SELECT SUM(amount) AS total FROM legs;

-- step
-- in transfers:
--| {"from_account": "A", "to_account": "B", "amount": 10, "ts": "2024-01-01 00:00:05"}
--| {"from_account": "B", "to_account": "C", "amount": 4, "ts": "2024-01-01 00:00:06"}
-- out legs:
--| {"account": "B", "amount": 10, "ts": "2024-01-01 00:00:05"}
--| {"account": "C", "amount": 4, "ts": "2024-01-01 00:00:06"}
--| {"account": "A", "amount": -10, "ts": "2024-01-01 00:00:05"}
--| {"account": "B", "amount": -4, "ts": "2024-01-01 00:00:06"}
-- out total:
--| {"op": "upsert", "total": 0}

-- step
-- in transfers:
--| {"from_account": "C", "to_account": "A", "amount": 3, "ts": "2024-01-01 00:00:07"}
-- out legs:
--| {"account": "A", "amount": 3, "ts": "2024-01-01 00:00:07"}
--| {"account": "C", "amount": -3, "ts": "2024-01-01 00:00:07"}
