-- construct: EXCEPT and INTERSECT
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
CREATE STREAM fills (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, qty FROM trades INTERSECT ALL SELECT symbol, qty FROM fills;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- in fills:
--| {"symbol": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "C", "qty": 3, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "insert", "symbol": "A", "qty": 10}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}

-- step
-- in fills:
--| {"symbol": "B", "qty": 5, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": null, "qty": 7, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "insert", "symbol": "B", "qty": 5}
--| {"op": "insert", "symbol": null, "qty": 7}

-- final
