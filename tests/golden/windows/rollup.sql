-- construct: GROUPING SETS in windows
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT window_end, symbol, qty > 3 AS big, GROUPING(symbol, big) AS g, COUNT(*) AS n FROM trades GROUP BY TUMBLE(timestamp, 10s), ROLLUP (symbol, big);

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
--| {"window_end": "2024-01-01 00:00:10", "symbol": "A", "big": false, "g": 0, "n": 2}
--| {"window_end": "2024-01-01 00:00:10", "symbol": "A", "big": null, "g": 1, "n": 2}
--| {"window_end": "2024-01-01 00:00:10", "symbol": "B", "big": false, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:10", "symbol": "B", "big": true, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:10", "symbol": "B", "big": null, "g": 1, "n": 2}
--| {"window_end": "2024-01-01 00:00:10", "symbol": null, "big": null, "g": 3, "n": 4}
--| {"window_end": "2024-01-01 00:00:20", "symbol": "A", "big": true, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:20", "symbol": "A", "big": null, "g": 1, "n": 1}
--| {"window_end": "2024-01-01 00:00:20", "symbol": null, "big": true, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:20", "symbol": null, "big": null, "g": 1, "n": 1}
--| {"window_end": "2024-01-01 00:00:20", "symbol": null, "big": null, "g": 3, "n": 2}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:30", "symbol": "A", "big": true, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:30", "symbol": "A", "big": null, "g": 1, "n": 1}
--| {"window_end": "2024-01-01 00:00:30", "symbol": null, "big": null, "g": 3, "n": 1}
--| {"window_end": "2024-01-01 00:00:40", "symbol": "B", "big": true, "g": 0, "n": 1}
--| {"window_end": "2024-01-01 00:00:40", "symbol": "B", "big": null, "g": 1, "n": 1}
--| {"window_end": "2024-01-01 00:00:40", "symbol": null, "big": null, "g": 3, "n": 1}

-- oracle:
--| SELECT make_timestamp(t + 10000000) AS window_end, symbol, big, GROUPING(symbol, big) AS g, COUNT(*) AS n
--| FROM (SELECT *, qty > 3 AS big, (__ts - __ts % 10000000) AS t FROM trades) GROUP BY t, ROLLUP (symbol, big)
