-- construct: UNION
CREATE STREAM trades (symbol VARCHAR, venue VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '4s');
CREATE STREAM fills (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '4s');
START JOB j AS SELECT window_end, sum(qty) AS qty FROM (SELECT qty, timestamp FROM trades UNION ALL SELECT qty, timestamp FROM fills) GROUP BY TUMBLE(timestamp, INTERVAL 3 SECOND);

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "B", "venue": "X", "qty": 5, "price": 2.0, "timestamp": "2024-01-01 00:00:02"}
--| {"symbol": "A", "venue": "Y", "qty": 10, "price": 1.5, "timestamp": "2024-01-01 00:00:02"}
-- in fills:
--| {"symbol": "A", "qty": 10, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "C", "qty": 3, "timestamp": "2024-01-01 00:00:02"}

-- step
-- in trades:
--| {"symbol": "A", "venue": "X", "qty": -10, "price": null, "timestamp": "2024-01-01 00:00:04"}
--| {"symbol": null, "venue": "Y", "qty": 7, "price": 3.5, "timestamp": "2024-01-01 00:00:03"}

-- step
-- in fills:
--| {"symbol": "B", "qty": 5, "timestamp": "2024-01-01 00:00:05"}
--| {"symbol": null, "qty": 7, "timestamp": "2024-01-01 00:00:05"}

-- final
-- out j:
--| {"window_end": "2024-01-01 00:00:03", "qty": 38}
--| {"window_end": "2024-01-01 00:00:06", "qty": 9}

-- oracle:
--| SELECT make_timestamp(__ts // 3000000 * 3000000 + 3000000) AS window_end, sum(qty) AS qty FROM
--| (SELECT qty, __ts FROM trades UNION ALL SELECT qty, __ts FROM fills) GROUP BY ALL
