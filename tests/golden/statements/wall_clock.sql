-- construct: wall_clock()
-- oracle: none
-- One value a tick, given from outside; the clock stands at 2024-01-01 00:00:00 when the case begins.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
START JOB delays AS SELECT symbol, wall_clock() AS seen, wall_clock() - timestamp AS delay FROM trades
WHERE wall_clock() - timestamp < INTERVAL 1 HOUR;
START JOB last_seen AS SELECT symbol, max(wall_clock()) AS seen FROM trades GROUP BY symbol;

-- step
-- wait 5s
-- in trades:
--| {"symbol": "A", "qty": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "qty": 1, "timestamp": "2023-12-31 20:00:00"}
-- out delays:
--| {"symbol": "A", "seen": "2024-01-01 00:00:05", "delay": "P0M0DT4S"}
-- out last_seen:
--| {"op": "upsert", "symbol": "B", "seen": "2024-01-01 00:00:05"}
--| {"op": "upsert", "symbol": "A", "seen": "2024-01-01 00:00:05"}

-- step
-- wait 1m
-- in trades:
--| {"symbol": "A", "qty": 2, "timestamp": "2024-01-01 00:01:00"}
-- query SELECT wall_clock() AS w, timestamp() AS t
--| {"w": "2024-01-01 00:01:05", "t": "2024-01-01 00:01:05"}
-- out delays:
--| {"symbol": "A", "seen": "2024-01-01 00:01:05", "delay": "P0M0DT5S"}
-- out last_seen:
--| {"op": "upsert", "symbol": "A", "seen": "2024-01-01 00:01:05"}
