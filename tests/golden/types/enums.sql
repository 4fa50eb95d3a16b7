-- construct: types: ENUM
-- Values that were not declared go to the dead letters.
CREATE STREAM t (side ENUM('buy', 'sell'), timestamp TIMESTAMP);
START JOB j AS SELECT side FROM t WHERE side = 'buy';

-- step
-- in t:
--| {"side": "buy", "timestamp": "2024-01-01 00:00:01"}
--| {"side": "sell", "timestamp": "2024-01-01 00:00:02"}
--| {"side": "hold", "timestamp": "2024-01-01 00:00:03"}
--| {"side": null, "timestamp": "2024-01-01 00:00:04"}
-- out j:
--| {"side": "buy"}
-- out j.dlq:
--| {"job": "j", "topic": "t", "partition": 0, "offset": 2, "reason": "expected one of buy, sell at side, got 'hold'", "path": "side", "raw": "{\"side\": \"hold\", \"timestamp\": \"2024-01-01 00:00:03\"}", "encoding": "utf-8"}
