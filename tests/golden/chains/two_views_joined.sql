-- construct: changelog through a topic
-- Two states of one input meet: a row never sees one of them ahead of the other.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB counts AS SELECT symbol, COUNT(*) AS n FROM trades GROUP BY symbol;
START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM trades GROUP BY symbol;
START JOB means AS SELECT c.symbol, qty / n AS mean FROM counts c JOIN sums s ON c.symbol = s.symbol;

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "timestamp": "2024-01-01 00:00:02"}
-- out counts:
--| {"op": "upsert", "symbol": "B", "n": 1}
--| {"op": "upsert", "symbol": "A", "n": 1}
-- out sums:
--| {"op": "upsert", "symbol": "B", "qty": 2}
--| {"op": "upsert", "symbol": "A", "qty": 4}
-- out means:
--| {"op": "upsert", "symbol": "B", "mean": 2.0}
--| {"op": "upsert", "symbol": "A", "mean": 4.0}

-- step: count and sum change, their quotient does not
-- in trades:
--| {"symbol": "A", "qty": 4, "timestamp": "2024-01-01 00:00:03"}
-- out counts:
--| {"op": "upsert", "symbol": "A", "n": 2}
-- out sums:
--| {"op": "upsert", "symbol": "A", "qty": 8}

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:04"}
-- out counts:
--| {"op": "upsert", "symbol": "A", "n": 3}
-- out sums:
--| {"op": "upsert", "symbol": "A", "qty": 9}
-- out means:
--| {"op": "upsert", "symbol": "A", "mean": 3.0}
