-- construct: GROUP BY over a changelog
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT n, count(*) AS symbols, max(symbol) AS last FROM (SELECT symbol, count(*) AS n FROM trades GROUP BY symbol) GROUP BY n;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "n": 1, "symbols": 1, "last": "B"}
--| {"op": "upsert", "n": 2, "symbols": 1, "last": "A"}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "n": 2, "symbols": 1, "last": "A"}
--| {"op": "upsert", "n": 3, "symbols": 1, "last": "A"}
--| {"op": "upsert", "n": 1, "symbols": 2, "last": "B"}

-- step
-- in trades:
--| {"symbol": "B", "venue": "Y", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "venue": "X", "qty": 0, "price": 9.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "delete", "n": 3, "symbols": 1, "last": "A"}
--| {"op": "upsert", "n": 4, "symbols": 1, "last": "A"}
--| {"op": "upsert", "n": 1, "symbols": 1, "last": null}
--| {"op": "upsert", "n": 2, "symbols": 1, "last": "B"}

-- final
