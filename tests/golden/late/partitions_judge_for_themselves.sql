-- construct: late rows: drop
-- oracle: none
-- A row is judged by the watermark of its own partition.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('partitions' = '2');
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, 10s);

-- step: partition 1 is far ahead, partition 0 holds time back
-- in trades/0:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
-- in trades/1:
--| {"symbol": "A", "qty": 2, "price": 1.0, "timestamp": "2024-01-01 00:00:25"}

-- step: at 3 s: in time for partition 0, late for partition 1
-- in trades/0:
--| {"symbol": "A", "qty": 4, "price": 1.0, "timestamp": "2024-01-01 00:00:03"}
-- in trades/1:
--| {"symbol": "A", "qty": 8, "price": 1.0, "timestamp": "2024-01-01 00:00:04"}

-- step
-- in trades/0:
--| {"symbol": "A", "qty": 16, "price": 1.0, "timestamp": "2024-01-01 00:00:26"}
-- out j:
--| {"window_end": "2024-01-01 00:00:10", "qty": 5}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:30", "qty": 18}
-- late j: 1
