-- construct: WATERMARK FOR
-- The event time and its delay in the column list; a row within the delay counts, one behind it is late.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '2' SECOND);
START JOB volume AS SELECT window_end, sum(qty) AS qty FROM trades GROUP BY TUMBLE(at, INTERVAL 10 SECOND);
-- query DESCRIBE trades
--| {"column": "symbol", "type": "VARCHAR", "null": true, "key": false, "role": "", "known": "declared"}
--| {"column": "qty", "type": "BIGINT", "null": true, "key": false, "role": "", "known": "declared"}
--| {"column": "at", "type": "TIMESTAMP", "null": true, "key": false, "role": "event time, watermark 2s behind", "known": "declared"}
-- oracle: none
-- One row is late.

-- step
-- in trades:
--| {"symbol": "A", "qty": 1, "at": "2024-01-01 00:00:09"}
--| {"symbol": "A", "qty": 2, "at": "2024-01-01 00:00:11"}
--| {"symbol": "A", "qty": 4, "at": "2024-01-01 00:00:09.5"}

-- step: the window closes
-- in trades:
--| {"symbol": "A", "qty": 8, "at": "2024-01-01 00:00:12"}
--| {"symbol": "A", "qty": 16, "at": "2024-01-01 00:00:09"}
-- out volume:
--| {"window_end": "2024-01-01 00:00:10", "qty": 5}

-- final
-- out volume:
--| {"window_end": "2024-01-01 00:00:20", "qty": 10}
-- late volume: 1
