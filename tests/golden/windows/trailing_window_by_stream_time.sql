-- construct: HOP
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, price DOUBLE, timestamp TIMESTAMP) WITH ('watermark.delay' = '6s');
START JOB j AS SELECT symbol, timestamp() AS at, SUM(qty) AS qty FROM trades WHERE timestamp >= timestamp() - INTERVAL '10' SECOND GROUP BY symbol WITH ('emit.every' = '5s');

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
-- out j:
--| {"symbol": "A", "at": "2024-01-01 00:00:05", "qty": 1}
--| {"symbol": "B", "at": "2024-01-01 00:00:05", "qty": 2}

-- step
-- in trades:
--| {"symbol": "A", "qty": 7, "price": 7.0, "timestamp": "2024-01-01 00:00:21"}
--| {"symbol": "B", "qty": 8, "price": 8.0, "timestamp": "2024-01-01 00:00:35"}
-- out j:
--| {"symbol": "A", "at": "2024-01-01 00:00:10", "qty": 4}
--| {"symbol": "B", "at": "2024-01-01 00:00:10", "qty": 8}
--| {"symbol": "A", "at": "2024-01-01 00:00:15", "qty": 7}
--| {"symbol": "B", "at": "2024-01-01 00:00:15", "qty": 6}
--| {"symbol": null, "at": "2024-01-01 00:00:15", "qty": 5}
--| {"symbol": "A", "at": "2024-01-01 00:00:20", "qty": 4}
--| {"symbol": null, "at": "2024-01-01 00:00:20", "qty": 5}
--| {"symbol": "A", "at": "2024-01-01 00:00:25", "qty": 7}

-- final
-- out j:
--| {"symbol": "A", "at": "2024-01-01 00:00:30", "qty": 7}
--| {"symbol": "B", "at": "2024-01-01 00:00:40", "qty": 8}
--| {"symbol": "B", "at": "2024-01-01 00:00:45", "qty": 8}

-- oracle:
--| SELECT symbol, make_timestamp(s + 10000000) AS at, SUM(qty) AS qty
--| FROM (SELECT *, unnest(range(__ts - __ts % 5000000 - 5000000, __ts + 1, 5000000)) AS s FROM trades) GROUP BY symbol, s
