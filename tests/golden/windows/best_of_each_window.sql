-- construct: windows of windows
-- The groups of one window's end are whole when the windows that end there are: no second wait.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS WITH w AS (SELECT symbol, window_end, SUM(qty) AS qty FROM trades GROUP BY symbol, TUMBLE(timestamp, 10s))
SELECT window_end, MAX(qty) AS most, ARG_MAX(symbol, qty) AS symbol FROM w GROUP BY window_end;

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
--| {"window_end": "2024-01-01 00:00:10", "most": 8, "symbol": "B"}
--| {"window_end": "2024-01-01 00:00:20", "most": 5, "symbol": "A"}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:30", "most": 7, "symbol": "A"}
--| {"window_end": "2024-01-01 00:00:40", "most": 8, "symbol": "B"}

-- oracle:
--| WITH w AS (SELECT symbol, make_timestamp((__ts - __ts % 10000000) + 10000000) AS window_end, SUM(qty) AS qty FROM trades GROUP BY 1, 2)
--| SELECT window_end, MAX(qty) AS most, ARG_MAX(symbol, qty) AS symbol FROM w GROUP BY window_end
