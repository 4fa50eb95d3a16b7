-- construct: GROUP BY without a window
-- A group that no longer satisfies HAVING is deleted.
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol HAVING sum(qty) >= 10;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "symbol": "A", "qty": 20}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -15, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "symbol": "A", "qty": 20}

-- step
-- in trades:
--| {"symbol": "B", "venue": "Y", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "venue": "X", "qty": 0, "price": 9.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "upsert", "symbol": "B", "qty": 10}

-- final
