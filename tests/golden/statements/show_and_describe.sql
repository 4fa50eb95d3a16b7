-- construct: SHOW and DESCRIBE
CREATE STREAM trades (symbol VARCHAR NOT NULL, qty BIGINT, timestamp TIMESTAMP);
CREATE TABLE limits (trader VARCHAR, most DECIMAL(10,2), PRIMARY KEY (trader));
CREATE VIEW big AS SELECT symbol, qty FROM trades WHERE qty > 10;
START JOB counts AS SELECT symbol, count(*) AS n FROM trades GROUP BY symbol;
-- query SHOW TABLES
--| {"table": "counts", "kind": "job", "source": "counts", "key": "symbol", "columns": "symbol VARCHAR, n BIGINT"}
--| {"table": "limits", "kind": "topic", "source": "limits", "key": "trader", "columns": "trader VARCHAR, most DECIMAL(10,2)"}
-- query SHOW VIEWS
--| {"view": "big", "columns": "symbol VARCHAR, qty BIGINT", "sql": "CREATE VIEW big AS SELECT symbol, qty FROM trades WHERE qty > 10"}
-- query SHOW STREAMS
--| {"stream": "trades", "topic": "trades", "event_time": "timestamp", "key": "", "columns": "symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP", "options": ""}
-- query DESCRIBE trades
--| {"column": "symbol", "type": "VARCHAR", "null": false, "key": false, "role": "", "known": "declared"}
--| {"column": "qty", "type": "BIGINT", "null": true, "key": false, "role": "", "known": "declared"}
--| {"column": "timestamp", "type": "TIMESTAMP", "null": true, "key": false, "role": "event time", "known": "declared"}
-- query DESCRIBE limits
--| {"column": "trader", "type": "VARCHAR", "null": false, "key": true, "role": "key", "known": "declared"}
--| {"column": "most", "type": "DECIMAL(10,2)", "null": true, "key": false, "role": "", "known": "declared"}
-- query DESCRIBE big
--| {"column": "symbol", "type": "VARCHAR", "null": true, "key": false, "role": "", "known": "by its query"}
--| {"column": "qty", "type": "BIGINT", "null": true, "key": false, "role": "", "known": "by its query"}
DESCRIBE trade;
-- error BindError
--| unknown stream or topic 'trade' (line 1, column 10)
--|   DESCRIBE trade;
--|            ^^^^^
--| hint: did you mean trades? Or declare it: CREATE STREAM trade (…), or produce its first records
