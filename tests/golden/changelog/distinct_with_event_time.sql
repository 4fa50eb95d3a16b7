-- construct: DISTINCT
-- Event time is among the columns: rows only come, once the watermark has passed them.
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT DISTINCT symbol, timestamp FROM trades;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "venue": "Y", "qty": 2, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}

-- step
-- in trades:
--| {"symbol": "A", "venue": "Z", "qty": 3, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "venue": "Z", "qty": 3, "price": 1.0, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"symbol": "A", "timestamp": "2024-01-01 00:00:01"}

-- final
-- out j:
--| {"symbol": "A", "timestamp": "2024-01-01 00:00:02"}
