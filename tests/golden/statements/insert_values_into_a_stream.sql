-- construct: INSERT INTO … VALUES
-- Expressions are DuckDB's, typed by the declared columns; columns that are left out are NULL.
CREATE STREAM trades (symbol VARCHAR, price DOUBLE, qty BIGINT, timestamp TIMESTAMP);
START JOB totals AS SELECT symbol, sum(price * qty) AS notional, count(*) AS n FROM trades GROUP BY symbol;

-- step
INSERT INTO trades VALUES
    ('A', 10, 5, '2024-01-01 00:00:00'),
    (upper('b'), 2.5 * 2, 2 ** 3, TIMESTAMP '2024-01-01' + INTERVAL 1 SECOND);
-- out totals:
--| {"op": "upsert", "symbol": "B", "notional": 40.0, "n": 1}
--| {"op": "upsert", "symbol": "A", "notional": 50.0, "n": 1}

-- step
INSERT INTO trades (timestamp, symbol) VALUES (DATE '2024-01-02', 'A');
-- out totals:
--| {"op": "upsert", "symbol": "A", "notional": 50.0, "n": 2}
