-- construct: INSERT INTO … SELECT
-- Two jobs write one topic, under names of their own; a column that one of them lacks is NULL there.
-- oracle: none
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM noted (symbol VARCHAR, qty BIGINT, why VARCHAR);
INSERT INTO noted SELECT symbol, qty, 'big' AS why FROM trades WHERE qty > 10;
INSERT INTO noted SELECT symbol, qty FROM trades WHERE symbol = 'Z';
-- query SELECT job, output FROM (SELECT 1 AS one) x, (VALUES ('insert_into_noted', 'noted'), ('insert_into_noted_2', 'noted')) j(job, output)
--| {"job": "insert_into_noted", "output": "noted"}
--| {"job": "insert_into_noted_2", "output": "noted"}

-- step
-- in trades:
--| {"symbol": "A", "qty": 5, "timestamp": "2024-01-01 00:00:00"}
--| {"symbol": "A", "qty": 50, "timestamp": "2024-01-01 00:00:01"}
--| {"symbol": "Z", "qty": 1, "timestamp": "2024-01-01 00:00:02"}
-- out noted:
--| {"symbol": "A", "qty": 50, "why": "big"}
--| {"symbol": "Z", "qty": 1}
