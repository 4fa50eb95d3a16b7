-- construct: UNION
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
CREATE STREAM fills (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, venue FROM trades UNION ALL BY NAME SELECT qty, symbol FROM fills;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- in fills:
--| {"symbol": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "C", "qty": 3, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"symbol": "A", "venue": "X", "qty": null}
--| {"symbol": "B", "venue": "X", "qty": null}
--| {"symbol": "A", "venue": "Y", "qty": null}
--| {"symbol": "A", "venue": null, "qty": 10}
--| {"symbol": "C", "venue": null, "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"symbol": "A", "venue": "X", "qty": null}
--| {"symbol": null, "venue": "Y", "qty": null}

-- step
-- in fills:
--| {"symbol": "B", "qty": 5, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": null, "qty": 7, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"symbol": "B", "venue": null, "qty": 5}
--| {"symbol": null, "venue": null, "qty": 7}

-- final
