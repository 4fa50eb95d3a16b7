-- construct: EMIT CHANGES of windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT symbol, window_end, SUM(qty) AS qty FROM trades GROUP BY symbol, HOP(timestamp, 5s, 10s) EMIT CHANGES WITH ('changelog' = 'retract');

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:10", "qty": 1}
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 1}

-- step
-- in trades:
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"op": "delete", "symbol": "A", "window_end": "2024-01-01 00:00:10", "qty": 1}
--| {"op": "delete", "symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 1}
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:10", "qty": 3}
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 3}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:11"}
-- out j:
--| {"op": "delete", "symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 3}
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 7}
--| {"op": "insert", "symbol": "A", "window_end": "2024-01-01 00:00:20", "qty": 4}

-- final

-- oracle:
--| SELECT symbol, make_timestamp(s + 10000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts - __ts % 5000000 - 5000000, __ts + 1, 5000000)) AS s FROM trades) GROUP BY symbol, s
