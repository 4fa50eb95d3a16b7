-- construct: HOP
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '2s');
START JOB volume AS
SELECT symbol, window_end, SUM(qty) AS qty FROM trades
GROUP BY symbol, HOP(timestamp, INTERVAL 5 SECOND, INTERVAL 10 SECOND);

-- step: the first window closes
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:00:07"}
-- out volume:
--| {"symbol": "A", "window_end": "2024-01-01 00:00:05", "qty": 1}

-- final
-- out volume:
--| {"symbol": "A", "window_end": "2024-01-01 00:00:10", "qty": 3}
--| {"symbol": "A", "window_end": "2024-01-01 00:00:15", "qty": 2}

-- oracle:
--| SELECT symbol, make_timestamp(s + 10000000) AS window_end, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts // 5000000 * 5000000 - 5000000, __ts + 1, 5000000)) AS s FROM trades) GROUP BY ALL
