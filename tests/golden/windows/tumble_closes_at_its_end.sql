-- construct: TUMBLE
-- A window closes when the watermark reaches its end.
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT window_end, SUM(qty) AS qty FROM trades GROUP BY TUMBLE(timestamp, INTERVAL '10' SECOND);

-- step: a millisecond before the end
-- in trades:
--| {"symbol": "A", "qty": 1, "price": 1.0, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "A", "qty": 2, "price": 2.0, "timestamp": "2024-01-01 00:00:09.999"}

-- step: at the end
-- in trades:
--| {"symbol": "A", "qty": 4, "price": 4.0, "timestamp": "2024-01-01 00:00:10"}
-- out j:
--| {"window_end": "2024-01-01 00:00:10", "qty": 3}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:20", "qty": 4}

-- oracle:
--| SELECT make_timestamp((__ts - __ts % 10000000) + 10000000) AS window_end, SUM(qty) AS qty FROM trades GROUP BY 1
