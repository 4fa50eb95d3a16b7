-- construct: job chain by topic
-- A job over another one's windows: its event time is window_end.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB seconds AS SELECT symbol, window_end, SUM(qty) AS qty FROM trades
GROUP BY symbol, TUMBLE(timestamp, INTERVAL 1 SECOND);
START JOB most AS SELECT window_end, MAX(qty) AS most, COUNT(*) AS symbols
FROM (SELECT qty, window_end AS ts FROM seconds) GROUP BY TUMBLE(ts, INTERVAL 10 SECOND);

-- step: seconds close
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:00.1"}
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:00:00.9"}
--| {"symbol": "B", "qty": 7, "timestamp": "2024-01-01 00:00:01.5"}
--| {"symbol": "B", "qty": 1, "timestamp": "2024-01-01 00:00:03"}
-- out seconds:
--| {"symbol": "A", "window_end": "2024-01-01 00:00:01", "qty": 3}
--| {"symbol": "B", "window_end": "2024-01-01 00:00:02", "qty": 7}

-- step: the ten seconds close with the first window that ends after them
-- in trades:
--| {"symbol": "A", "qty": 4, "timestamp": "2024-01-01 00:00:10.5"}
--| {"symbol": "A", "qty": 4, "timestamp": "2024-01-01 00:00:12"}
-- out seconds:
--| {"symbol": "B", "window_end": "2024-01-01 00:00:04", "qty": 1}
--| {"symbol": "A", "window_end": "2024-01-01 00:00:11", "qty": 4}
-- out most:
--| {"window_end": "2024-01-01 00:00:10", "most": 7, "symbols": 3}

-- final
-- out seconds:
--| {"symbol": "A", "window_end": "2024-01-01 00:00:13", "qty": 4}
-- out most:
--| {"window_end": "2024-01-01 00:00:20", "most": 4, "symbols": 2}

-- oracle seconds:
--| SELECT symbol, make_timestamp(__ts // 1000000 * 1000000 + 1000000) AS window_end, SUM(qty) AS qty FROM trades GROUP BY ALL

-- oracle most:
--| SELECT make_timestamp(epoch_us(window_end) // 10000000 * 10000000 + 10000000) AS window_end, MAX(qty) AS most, COUNT(*) AS symbols FROM seconds GROUP BY 1
