-- construct: pull queries
-- Streaming windows over what is retained: the same bounds as in a job.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB volumes AS SELECT symbol, window_start, window_end, sum(qty) AS qty FROM trades
GROUP BY symbol, TUMBLE(timestamp, INTERVAL 10 SECOND);

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:00:09"}
--| {"symbol": "A", "qty": 4, "timestamp": "2024-01-01 00:00:10"}
-- query SELECT symbol, window_start, window_end, sum(qty) AS qty FROM trades GROUP BY symbol, TUMBLE(timestamp, INTERVAL 10 SECOND) ORDER BY ALL
--| {"symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 3}
--| {"symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 4}
-- query SELECT window_end, sum(qty) AS qty FROM HOP(TABLE trades, DESCRIPTOR(timestamp), INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY window_end ORDER BY ALL
--| {"window_end": "2024-01-01 00:00:05", "qty": 1}
--| {"window_end": "2024-01-01 00:00:10", "qty": 3}
--| {"window_end": "2024-01-01 00:00:15", "qty": 6}
--| {"window_end": "2024-01-01 00:00:20", "qty": 4}
-- query SELECT window_end, sum(qty) AS qty FROM CUMULATE(TABLE trades, DESCRIPTOR(timestamp), INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY window_start, window_end ORDER BY ALL
--| {"window_end": "2024-01-01 00:00:05", "qty": 1}
--| {"window_end": "2024-01-01 00:00:10", "qty": 3}
--| {"window_end": "2024-01-01 00:00:15", "qty": 4}
--| {"window_end": "2024-01-01 00:00:20", "qty": 4}
-- query SELECT t.qty, v.qty AS of_window FROM trades t JOIN volumes v ON t.timestamp >= v.window_start AND t.timestamp < v.window_end ORDER BY ALL
--| {"qty": 1, "of_window": 3}
--| {"qty": 2, "of_window": 3}
-- out volumes:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:00", "window_end": "2024-01-01 00:00:10", "qty": 3}

-- final
-- out volumes:
--| {"symbol": "A", "window_start": "2024-01-01 00:00:10", "window_end": "2024-01-01 00:00:20", "qty": 4}
