-- construct: GROUP BY event time
-- Grouped by event time itself, a group is final when time has passed it.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT timestamp, COUNT(*) AS n, SUM(qty) AS qty FROM trades GROUP BY timestamp;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"timestamp": "2024-01-01 00:00:01", "n": 2, "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:05"}
-- out j:
--| {"timestamp": "2024-01-01 00:00:02", "n": 1, "qty": 3}

-- final
-- out j:
--| {"timestamp": "2024-01-01 00:00:05", "n": 1, "qty": 4}

-- oracle:
--| SELECT timestamp, COUNT(*) AS n, SUM(qty) AS qty FROM trades GROUP BY timestamp
