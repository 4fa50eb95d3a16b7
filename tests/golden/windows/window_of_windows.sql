-- construct: windows of windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS WITH bars AS (SELECT symbol, window_end AS bar, SUM(qty) AS qty FROM trades GROUP BY symbol, TUMBLE(timestamp, 5s))
SELECT window_start, window_end, MAX(qty) AS most, COUNT(*) AS bars FROM bars GROUP BY TUMBLE(bar, 20s);

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
--| {"window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:20", "most": 6, "bars": 6}

-- final
-- out j:
--| {"window_start": "2024-01-01 00:00:20", "window_end": "2024-01-01 00:00:40", "most": 7, "bars": 1}
--| {"window_start": "2024-01-01 00:00:40", "window_end": "2024-01-01 00:01:00", "most": 8, "bars": 1}

-- oracle:
--| WITH bars AS (SELECT symbol, (__ts - __ts % 5000000) + 5000000 AS e, SUM(qty) AS qty FROM trades GROUP BY ALL)
--| SELECT make_timestamp((e - e % 20000000)) AS window_start, make_timestamp((e - e % 20000000) + 20000000) AS window_end, MAX(qty) AS most, COUNT(*) AS bars FROM bars GROUP BY 1, 2
