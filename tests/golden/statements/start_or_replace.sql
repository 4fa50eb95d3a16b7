-- construct: START OR REPLACE JOB
-- oracle: none
-- The new query reads everything again into an empty topic.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB picked AS SELECT symbol, qty FROM trades WHERE qty > 10;

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:00"}
--| {"symbol": "B", "qty": 50, "timestamp": "2024-01-01 00:00:01"}
-- out picked:
--| {"symbol": "B", "qty": 50}

-- step
START OR REPLACE JOB picked AS SELECT symbol, qty FROM trades WHERE qty < 10;
-- query SELECT * FROM picked
--| {"symbol": "A", "qty": 5}
START JOB picked AS SELECT symbol FROM trades;
-- error JobExistsError
--| job picked is running already
--| hint: STOP JOB picked first, or write START OR REPLACE JOB picked AS SELECT …
-- out picked:
--| {"symbol": "A", "qty": 5}
