-- construct: GROUP BY without a window
-- A group whose row stays the same says nothing.
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, max(qty) AS most FROM trades GROUP BY symbol;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "symbol": "B", "most": 5}
--| {"op": "upsert", "symbol": "A", "most": 10}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "symbol": null, "most": 7}

-- step
-- in trades:
--| {"symbol": "B", "venue": "Y", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "venue": "X", "qty": 0, "price": 9.0, "timestamp": "2024-01-01 00:00:06"}

-- final
