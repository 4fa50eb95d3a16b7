-- construct: aggregates in windows
-- FIRST and LAST go by event time, whatever order rows come in.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, window_start AS bar, FIRST(price) AS o, MAX(price) AS h, MIN(price) AS l, LAST(price) AS c, SUM(qty) AS v FROM trades GROUP BY symbol, TUMBLE(timestamp, 10s);

-- step: the first row by event time comes last
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 10.5, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": "A", "qty": 2, "price": 9.0, "timestamp": "2024-01-01 00:00:08"}
--| {"symbol": "A", "qty": 3, "price": 11.0, "timestamp": "2024-01-01 00:00:02"}

-- step: two rows of one time: the later position closes
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 7.0, "timestamp": "2024-01-01 00:00:09"}
--| {"symbol": "A", "qty": 5, "price": 8.0, "timestamp": "2024-01-01 00:00:09"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 6, "price": 1.0, "timestamp": "2024-01-01 00:00:30"}
-- out j:
--| {"symbol": "A", "bar": "2024-01-01 00:00:00", "o": 11.0, "h": 11.0, "l": 7.0, "c": 8.0, "v": 15}

-- final
-- out j:
--| {"symbol": "A", "bar": "2024-01-01 00:00:30", "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 6}

-- oracle:
--| SELECT symbol, make_timestamp((__ts - __ts % 10000000)) AS bar, FIRST(price ORDER BY __ts, __pos) AS o, MAX(price) AS h, MIN(price) AS l,
--| LAST(price ORDER BY __ts, __pos) AS c, SUM(qty) AS v FROM trades GROUP BY 1, 2
