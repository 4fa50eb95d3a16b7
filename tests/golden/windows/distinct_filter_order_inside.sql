-- construct: aggregates in windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_end, COUNT(DISTINCT symbol) AS symbols, SUM(qty) FILTER (WHERE symbol = 'A') AS a, STRING_AGG(symbol, '>' ORDER BY qty DESC) AS s, MEDIAN(price) AS m, MODE(symbol) AS mode, percentile_disc(0.5) WITHIN GROUP (ORDER BY qty DESC) AS p FROM trades GROUP BY TUMBLE(timestamp, 20s);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:03"}
--| {"symbol": "A", "qty": 3, "price": 3.0, "timestamp": "2024-01-01 00:00:09"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:12"}
--| {"symbol": null, "qty": 5, "price": 5.0, "timestamp": "2024-01-01 00:00:14"}
--| {"symbol": "B", "qty": 6, "price": 6.0, "timestamp": "2024-01-01 00:00:08"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"window_end": "2024-01-01 00:00:20", "symbols": 2, "a": 8, "s": "B>A>A>B>A", "m": 3.5, "mode": "A", "p": 4}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:40", "symbols": 2, "a": 7, "s": "B>A", "m": 7.5, "mode": "A", "p": 8}

-- oracle:
--| SELECT make_timestamp((__ts - __ts % 20000000) + 20000000) AS window_end, COUNT(DISTINCT symbol) AS symbols, SUM(qty) FILTER (WHERE symbol = 'A') AS a,
--| STRING_AGG(symbol, '>' ORDER BY qty DESC) AS s, MEDIAN(price) AS m, MODE(symbol ORDER BY __ts) AS mode, percentile_disc(0.5) WITHIN GROUP (ORDER BY qty DESC) AS p FROM trades GROUP BY 1
