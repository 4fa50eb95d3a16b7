-- construct: job chain by topic
-- Two jobs write one topic, and a third reads both of them in the same tick.
-- oracle: none
-- (the topic of one job has the rows of both; the rows out say it)
CREATE STREAM trades (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP);
START JOB cheap AS SELECT symbol, price, 'cheap' AS why, timestamp FROM trades WHERE price < 10 WITH ('output.topic' = 'odd');
START JOB dear AS SELECT symbol, price, 'dear' AS why, timestamp FROM trades WHERE price > 90 WITH ('output.topic' = 'odd');
START JOB counts AS SELECT why, COUNT(*) AS n FROM odd GROUP BY why;

-- step
-- in trades:
--| {"symbol": "A", "price": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "price": 95, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "C", "price": 50, "timestamp": "2024-01-01 00:00:03"}
-- out odd:
--| {"symbol": "A", "price": 5.0, "why": "cheap", "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "price": 95.0, "why": "dear", "timestamp": "2024-01-01 00:00:02"}
-- out counts:
--| {"op": "upsert", "why": "dear", "n": 1}
--| {"op": "upsert", "why": "cheap", "n": 1}

-- step
-- in trades:
--| {"symbol": "B", "price": 99, "timestamp": "2024-01-01 00:00:04"}
-- out odd:
--| {"symbol": "B", "price": 99.0, "why": "dear", "timestamp": "2024-01-01 00:00:04"}
-- out counts:
--| {"op": "upsert", "why": "dear", "n": 2}
