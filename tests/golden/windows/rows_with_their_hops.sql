-- construct: windows without an aggregate
-- Every row comes at once, once for each of its windows.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, qty, window_start, window_end FROM HOP(TABLE trades, DESCRIPTOR(timestamp), 5s, 10s) WHERE qty < 4;

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}
-- out j:
--| {"symbol": "A", "qty": 1, "window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:05"}
--| {"symbol": "A", "qty": 1, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10"}
--| {"symbol": "B", "qty": 2, "window_start": "2023-12-31 23:59:55", "window_end": "2024-01-01 00:00:05"}
--| {"symbol": "B", "qty": 2, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10"}
--| {"symbol": "A", "qty": 3, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10"}
--| {"symbol": "A", "qty": 3, "window_start": "2024-01-01 00:00:05", "window_end": "2024-01-01 00:00:15"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:12"}
--| {"symbol": null, "qty": 5, "price": 5.0, "timestamp": "2024-01-01 00:00:14"}
--| {"symbol": "B", "qty": 6, "price": 6.0, "timestamp": "2024-01-01 00:00:08"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}

-- final

-- oracle:
--| SELECT symbol, qty, make_timestamp(s) AS window_start, make_timestamp(s + 10000000) AS window_end
--| FROM (SELECT *, unnest(range(__ts - __ts % 5000000 - 5000000, __ts + 1, 5000000)) AS s FROM trades) WHERE qty < 4
