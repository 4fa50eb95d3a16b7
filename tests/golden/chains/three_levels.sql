-- construct: job chain by topic
-- What a tick brings is through the whole chain in the same step.
CREATE STREAM trades (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP);
START JOB dear AS SELECT symbol, price, timestamp FROM trades WHERE price > 10;
START JOB dearer AS SELECT symbol, price, timestamp FROM dear WHERE price > 20;
START JOB dearest AS SELECT symbol, price * 10 AS cents FROM dearer WHERE price > 30;

-- step
-- in trades:
--| {"symbol": "A", "price": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "price": 35, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "B", "price": 25, "timestamp": "2024-01-01 00:00:03"}
-- out dear:
--| {"symbol": "A", "price": 35.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "B", "price": 25.0, "timestamp": "2024-01-01 00:00:03"}
-- out dearer:
--| {"symbol": "A", "price": 35.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "B", "price": 25.0, "timestamp": "2024-01-01 00:00:03"}
-- out dearest:
--| {"symbol": "A", "cents": 350.0}

-- step: one row runs through
-- in trades:
--| {"symbol": "B", "price": 40, "timestamp": "2024-01-01 00:00:04"}
-- out dear:
--| {"symbol": "B", "price": 40.0, "timestamp": "2024-01-01 00:00:04"}
-- out dearer:
--| {"symbol": "B", "price": 40.0, "timestamp": "2024-01-01 00:00:04"}
-- out dearest:
--| {"symbol": "B", "cents": 400.0}
