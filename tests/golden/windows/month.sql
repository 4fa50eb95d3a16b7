-- construct: TUMBLE
-- A calendar month closes at its end, whatever its length.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT date_trunc('month', timestamp) AS month, SUM(qty) AS qty FROM trades GROUP BY month;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-15 00:00:00"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-31 23:59:59.999"}

-- step: January is over
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-02-01 00:00:00"}
-- out j:
--| {"month": "2024-01-01 00:00:00", "qty": 3}

-- step: a leap year's February
-- in trades:
--| {"symbol": "A", "qty": 8, "price": 8.0, "timestamp": "2024-02-29 12:00:00"}
--| {"symbol": "A", "qty": 16, "price": 16.0, "timestamp": "2024-03-01 00:00:00"}
-- out j:
--| {"month": "2024-02-01 00:00:00", "qty": 12}

-- final
-- out j:
--| {"month": "2024-03-01 00:00:00", "qty": 16}

-- oracle:
--| SELECT date_trunc('month', timestamp) AS month, SUM(qty) AS qty FROM trades GROUP BY month
