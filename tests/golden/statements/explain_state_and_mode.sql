-- construct: EXPLAIN
-- Two lines a step, in the order of the data: what it does; its mode, what it keeps, and what bounds that.
CREATE STREAM trades (symbol VARCHAR, trader VARCHAR, qty BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '2s');
CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader));
-- query EXPLAIN SELECT t.symbol, l.most FROM trades t JOIN limits l ON t.trader = l.trader WHERE t.qty > l.most
--| {"plan": "1. table limits (trader, most)"}
--| {"plan": "     changelog, one row per (trader); keeps the latest row per (trader) (grows with its keys)"}
--| {"plan": "2. read trades (symbol, trader, qty, timestamp); event time timestamp, delay 2 s"}
--| {"plan": "     append"}
--| {"plan": "3. join with the rows of now on (t.trader = l.trader) AND (t.qty > l.most), then select t.symbol AS symbol, l.most AS most <- 1, 2"}
--| {"plan": "     append; keeps the table's rows (grows with its keys)"}
--| {"plan": "output: append; symbol VARCHAR, most BIGINT"}
--| {"plan": "watermark: of trades: the newest timestamp of each partition less 2 s, the least counts; a partition silent for 10 s is not waited for"}
--| {"plan": "note: the join of t and l joins each row with the table's row at the moment it is processed; l FOR SYSTEM_TIME AS OF t.timestamp gives the row in force at its event time"}
-- query EXPLAIN SELECT symbol, count(*) AS n FROM trades GROUP BY symbol
--| {"plan": "1. read trades (symbol, timestamp); event time timestamp, delay 2 s"}
--| {"plan": "     append"}
--| {"plan": "2. group by symbol: COUNT(*) <- 1"}
--| {"plan": "     changelog, one row per (symbol); keeps one aggregate state per group (grows with its groups; 'state.ttl' bounds it)"}
--| {"plan": "output: changelog, upserts by (symbol); symbol VARCHAR, n BIGINT"}
--| {"plan": "watermark: of trades: the newest timestamp of each partition less 2 s, the least counts; a partition silent for 10 s is not waited for"}
--| {"plan": "note: GROUP BY without a window keeps every group for ever; 'state.ttl' bounds it"}
-- query EXPLAIN SELECT symbol, window_end, count(*) AS n FROM trades GROUP BY symbol, TUMBLE(timestamp, INTERVAL 10 SECOND)
--| {"plan": "1. read trades (symbol, timestamp); event time timestamp, delay 2 s"}
--| {"plan": "     append"}
--| {"plan": "2. tumble 10 s by symbol: COUNT(*), then select symbol, window_end, n <- 1"}
--| {"plan": "     append; keeps one aggregate state per slice and key (until the watermark closes them)"}
--| {"plan": "output: append; symbol VARCHAR, window_end TIMESTAMP, n BIGINT"}
--| {"plan": "watermark: of trades: the newest timestamp of each partition less 2 s, the least counts; a partition silent for 10 s is not waited for"}
EXPLAIN ANALYZE SELECT symbol FROM trades;
-- error UnsupportedError
--| only a running job can be analyzed (line 1, column 1)
--|   EXPLAIN ANALYZE SELECT symbol FROM trades;
--|   ^^^^^^^
--| hint: EXPLAIN ANALYZE JOB name
EXPLAIN JOB trades;
-- error UnknownJobError
--| unknown job 'trades'
--| hint: no job was started
