-- construct: state.ttl
-- Group A was silent for longer than its time to live when it came back.
-- oracle: none
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, count(*) AS n FROM trades GROUP BY symbol WITH ('state.ttl' = '10s');

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "venue": "Y", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"op": "upsert", "symbol": "A", "n": 2}

-- step
-- in trades:
--| {"symbol": "B", "venue": "X", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:30"}
-- out j:
--| {"op": "upsert", "symbol": "B", "n": 1}

-- step: A begins anew
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:31"}
-- out j:
--| {"op": "upsert", "symbol": "A", "n": 1}
