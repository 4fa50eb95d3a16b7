-- construct: GROUP BY without a window
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, list(qty ORDER BY qty) AS l, string_agg(venue, ',' ORDER BY venue, qty) AS v FROM trades GROUP BY symbol;

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "upsert", "symbol": "B", "l": [5], "v": "X"}
--| {"op": "upsert", "symbol": "A", "l": [10, 10], "v": "X,Y"}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "upsert", "symbol": null, "l": [7], "v": "Y"}
--| {"op": "upsert", "symbol": "A", "l": [-10, 10, 10], "v": "X,X,Y"}

-- step
-- in trades:
--| {"symbol": "B", "venue": "Y", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "venue": "X", "qty": 0, "price": 9.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "upsert", "symbol": "B", "l": [5, 5], "v": "X,Y"}
--| {"op": "upsert", "symbol": "A", "l": [-10, 0, 10, 10], "v": "X,X,X,Y"}

-- final
