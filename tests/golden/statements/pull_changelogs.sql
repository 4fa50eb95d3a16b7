-- construct: pull queries
-- What a job has written, as it stands: upserts by key, and rows that come and go as a bag.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB totals AS SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol HAVING sum(qty) <> 0;
START JOB sums AS SELECT qty FROM (SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol);

-- step
-- in trades:
--| {"symbol": "A", "qty": 3, "timestamp": "2024-01-01 00:00:00"}
--| {"symbol": "B", "qty": 3, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "C", "qty": 5, "timestamp": "2024-01-01 00:00:02"}
-- query SELECT * FROM totals ORDER BY ALL
--| {"symbol": "A", "qty": 3}
--| {"symbol": "B", "qty": 3}
--| {"symbol": "C", "qty": 5}
-- query SELECT * FROM sums ORDER BY ALL
--| {"qty": 3}
--| {"qty": 3}
--| {"qty": 5}
-- out totals:
--| {"op": "upsert", "symbol": "B", "qty": 3}
--| {"op": "upsert", "symbol": "A", "qty": 3}
--| {"op": "upsert", "symbol": "C", "qty": 5}
-- out sums:
--| {"op": "insert", "qty": 3}
--| {"op": "insert", "qty": 3}
--| {"op": "insert", "qty": 5}

-- step: A is gone from the first, and one of the two threes from the second
-- in trades:
--| {"symbol": "A", "qty": -3, "timestamp": "2024-01-01 00:00:03"}
-- query SELECT * FROM totals ORDER BY ALL
--| {"symbol": "B", "qty": 3}
--| {"symbol": "C", "qty": 5}
-- query SELECT * FROM sums ORDER BY ALL
--| {"qty": 0}
--| {"qty": 3}
--| {"qty": 5}
-- query SELECT t.symbol, count(s.qty) AS equal FROM totals t LEFT JOIN sums s USING (qty) GROUP BY ALL ORDER BY ALL
--| {"symbol": "B", "equal": 1}
--| {"symbol": "C", "equal": 1}
-- out totals:
--| {"op": "delete", "symbol": "A", "qty": 3}
-- out sums:
--| {"op": "delete", "qty": 3}
--| {"op": "insert", "qty": 0}

-- oracle totals:
--| SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol HAVING sum(qty) <> 0
-- oracle sums:
--| SELECT qty FROM (SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol)
