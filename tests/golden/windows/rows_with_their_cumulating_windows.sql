-- construct: windows without an aggregate
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT qty, window_start, window_end FROM CUMULATE(TABLE trades, DESCRIPTOR(timestamp), 5s, 10s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:07"}
-- out j:
--| {"qty": 1, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:05"}
--| {"qty": 1, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10"}
--| {"qty": 2, "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10"}

-- final

-- oracle:
--| SELECT qty, make_timestamp(s) AS window_start, make_timestamp(e) AS window_end FROM (SELECT *, __ts - __ts % 10000000 AS s,
--| unnest(range(__ts - __ts % 5000000 + 5000000, __ts - __ts % 10000000 + 10000001, 5000000)) AS e FROM trades)
