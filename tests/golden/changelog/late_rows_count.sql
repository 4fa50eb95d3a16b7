-- construct: GROUP BY without a window
-- No window closes, so no row is too late.
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '0s');
START JOB j AS SELECT symbol, sum(qty) AS qty FROM trades GROUP BY symbol;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:30"}
-- out j:
--| {"op": "upsert", "symbol": "A", "qty": 1}

-- step: 2: behind the watermark, and it counts all the same
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 2, "price": 1.0, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"op": "upsert", "symbol": "A", "qty": 3}

-- final
