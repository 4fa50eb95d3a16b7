-- What users write, and its canonical form after `-->`. One case a paragraph; the first comment line is its name.

-- flink tumble table function
SELECT symbol, count(*) FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) AS w GROUP BY symbol, window_start, window_end
--> SELECT symbol, COUNT(*) FROM s AS w GROUP BY VELO_TUMBLE(ts, 60000000, 0), symbol

-- tumble without the word TABLE, with an offset before the epoch
SELECT count(*) FROM TUMBLE(s, DESCRIPTOR(ts), 1h, INTERVAL '-5' MINUTE)
--> SELECT COUNT(*) FROM s GROUP BY VELO_TUMBLE(ts, 3600000000, 3300000000)

-- tumble with named arguments and group by all
SELECT k, window_start, count(*) FROM TUMBLE(DATA => TABLE s, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' MINUTES) GROUP BY ALL
--> SELECT k, window_start, COUNT(*) FROM s GROUP BY VELO_TUMBLE(ts, 600000000, 0), k

-- hop takes slide then size, and window_time is the last millisecond
SELECT w.window_start, window_end, window_time, sum(x) FROM HOP(TABLE s, DESCRIPTOR(ts), 1m, INTERVAL '5' MINUTES) w GROUP BY w.window_start, w.window_end, window_time
--> SELECT window_start, window_end, (window_end - INTERVAL '1' MILLISECOND) AS window_time, SUM(x) FROM s AS w GROUP BY VELO_HOP(ts, 60000000, 300000000, 0)

-- cumulate takes step then size; numbers in GROUP BY
SELECT window_start AS ws, symbol, count(*) FROM CUMULATE(s, DESCRIPTOR(ts), 1m, 1h) GROUP BY 1, 2
--> SELECT window_start AS ws, symbol, COUNT(*) FROM s GROUP BY VELO_CUMULATE(ts, 60000000, 3600000000, 0), symbol

-- an alias of window_start in GROUP BY
SELECT window_start AS ws, count(*) FROM TUMBLE(TABLE s, DESCRIPTOR(ts), 1m) GROUP BY ws
--> SELECT window_start AS ws, COUNT(*) FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0)

-- session table function with keys
SELECT symbol, count(*) FROM SESSION(TABLE s PARTITION BY (symbol, k), DESCRIPTOR(ts), 5m) GROUP BY symbol
--> SELECT symbol, COUNT(*) FROM s GROUP BY VELO_SESSION(ts, 300000000), symbol, k

-- a subquery as the table of a window
SELECT count(*) FROM TUMBLE((SELECT * FROM s WHERE x > 1), DESCRIPTOR(ts), 1m) a
--> SELECT COUNT(*) FROM (SELECT * FROM s WHERE x > 1) AS a GROUP BY VELO_TUMBLE(ts, 60000000, 0)

-- in a join the time column is qualified
SELECT a.window_start, count(*) FROM TUMBLE(TABLE s, DESCRIPTOR(ts), 1m) a JOIN t ON a.k = t.k GROUP BY a.window_start, a.k
--> SELECT window_start, COUNT(*) FROM s AS a JOIN t ON a.k = t.k GROUP BY VELO_TUMBLE(a.ts, 60000000, 0), a.k

-- tumble without an aggregate annotates rows
SELECT ts, window_start FROM TUMBLE(TABLE s, DESCRIPTOR(ts), 7s, 1s) AS x WHERE x.a > 5
--> SELECT ts, window_start FROM (SELECT *, TIME_BUCKET(INTERVAL '7000000' MICROSECOND, ts, CAST('1970-01-01 00:00:01' AS TIMESTAMP)) AS window_start, TIME_BUCKET(INTERVAL '7000000' MICROSECOND, ts, CAST('1970-01-01 00:00:01' AS TIMESTAMP)) + INTERVAL '7000000' MICROSECOND AS window_end FROM s) AS x WHERE x.a > 5

-- tumble in GROUP BY with its start and end
SELECT TUMBLE_START(ts, INTERVAL '1' MINUTE) AS a, tumble_end(ts, 1m), sum(x) FROM s GROUP BY symbol, TUMBLE(ts, INTERVAL '1' MINUTE)
--> SELECT window_start AS a, window_end, SUM(x) FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0), symbol

-- hop in GROUP BY takes slide then size
SELECT HOP_START(ts, 1m, 5m), sum(x) FROM s GROUP BY HOP(ts, 1m, 5m)
--> SELECT window_start, SUM(x) FROM s GROUP BY VELO_HOP(ts, 60000000, 300000000, 0)

-- session in GROUP BY
SELECT session_start(ts, 5m), sum(x) FROM s GROUP BY k, SESSION(ts, 5m) HAVING sum(x) > 3
--> SELECT window_start, SUM(x) FROM s GROUP BY VELO_SESSION(ts, 300000000), k HAVING SUM(x) > 3

-- window clause after HAVING
SELECT symbol, avg(p) FROM s GROUP BY symbol HAVING avg(p) > 5 WINDOW TUMBLING(ts, 1m)
--> SELECT symbol, AVG(p) FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0), symbol HAVING AVG(p) > 5

-- window clause before HAVING; sliding takes size then slide
SELECT symbol, avg(p) FROM s GROUP BY symbol WINDOW SLIDING(ts, 5m, 1m) HAVING avg(p) > 5
--> SELECT symbol, AVG(p) FROM s GROUP BY VELO_HOP(ts, 60000000, 300000000, 0), symbol HAVING AVG(p) > 5

-- window clause without GROUP BY, with a session key
SELECT avg(p) FROM s WINDOW SESSION(s.ts, 4h, key)
--> SELECT AVG(p) FROM s GROUP BY VELO_SESSION(s.ts, 14400000000), key

-- window clause with a comment inside, before ORDER BY
SELECT avg(p) AS a FROM s WINDOW /* ; */ TUMBLING(ts, -- minutes
 1m) ORDER BY a
--> SELECT AVG(p) AS a FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0) ORDER BY a

-- the stream's own time
SELECT avg(p) FROM s WINDOW TUMBLING(1m)
--> SELECT AVG(p) FROM s GROUP BY VELO_TUMBLE(NULL, 60000000, 0)

-- ksqldb's words, before WHERE
SELECT avg(p) FROM s WINDOW HOPPING (SIZE 30 SECONDS, ADVANCE BY 10 SECONDS) WHERE a > 1 GROUP BY b
--> SELECT AVG(p) FROM s WHERE a > 1 GROUP BY VELO_HOP(NULL, 10000000, 30000000, 0), b

-- a window in a subquery belongs to it
SELECT * FROM (SELECT symbol, count(*) c FROM s WINDOW TUMBLING(ts, 1m) GROUP BY symbol) WHERE c > 3
--> SELECT * FROM (SELECT symbol, COUNT(*) AS c FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0), symbol) WHERE c > 3

-- two windows in two parts
WITH a AS (SELECT k, sum(x) x FROM s GROUP BY k, TUMBLE(ts, 1m)) SELECT k, max(x) FROM a GROUP BY k, TUMBLE(ts, 1h)
--> WITH a AS (SELECT k, SUM(x) AS x FROM s GROUP BY VELO_TUMBLE(ts, 60000000, 0), k) SELECT k, MAX(x) FROM a GROUP BY VELO_TUMBLE(ts, 3600000000, 0), k

-- canonical calls stay
SELECT avg(p) FROM s GROUP BY VELO_TUMBLE(ts, 1000, 0), b
--> SELECT AVG(p) FROM s GROUP BY VELO_TUMBLE(ts, 1000, 0), b

-- a named window, and columns with our words for names
SELECT window, emit, start, job, timestamp, s.timestamp, sum(y) OVER w FROM s WINDOW w AS (PARTITION BY job ORDER BY timestamp)
--> SELECT "window", emit, start, job, timestamp, s.timestamp, SUM(y) OVER w FROM s WINDOW w AS (PARTITION BY job ORDER BY timestamp)

-- a named window called tumbling
SELECT sum(y) OVER tumbling FROM s WINDOW tumbling AS (ORDER BY ts)
--> SELECT SUM(y) OVER tumbling FROM s WINDOW tumbling AS (ORDER BY ts)

-- our words inside strings, names and comments
SELECT max(window) AS "EMIT CHANGES", 'EMIT CHANGES; WINDOW TUMBLING(ts, 1m)', $$timestamp();$$, E'it\'s 5m' FROM s -- EMIT CHANGES
--> SELECT MAX("window") AS "EMIT CHANGES", 'EMIT CHANGES; WINDOW TUMBLING(ts, 1m)', 'timestamp();', 'it''s 5m' FROM s

-- the present
SELECT timestamp(), x FROM s WHERE timestamp >= timestamp() - INTERVAL '1' MINUTE AND ts < now() - 5m AND y < CURRENT_TIMESTAMP AND z < current_date
--> SELECT VELO_NOW() AS now, x FROM s WHERE timestamp >= VELO_NOW() - INTERVAL '1' MINUTE AND ts < VELO_NOW() - INTERVAL '5' MINUTE AND y < VELO_NOW() AND z < CAST(VELO_NOW() AS DATE)

-- durations in a frame
SELECT avg(p) OVER (ORDER BY ts RANGE BETWEEN 90s PRECEDING AND CURRENT ROW) FROM s
--> SELECT AVG(p) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '90' SECOND PRECEDING AND CURRENT ROW) FROM s

-- from first
FROM s SELECT a WHERE a > 1
--> SELECT a FROM s WHERE a > 1

-- values
VALUES (1, 'a')
--> SELECT * FROM (VALUES (1, 'a'))

-- brackets with an order behind
(SELECT 1 AS a) ORDER BY a
--> SELECT * FROM (SELECT 1 AS a) ORDER BY a

-- a trailing comma, as in DuckDB
SELECT a, b, FROM s
--> SELECT a, b FROM s

-- window functions in WHERE stay for the planner
SELECT x FROM s WHERE lag(x) OVER (PARTITION BY k ORDER BY ts) > x
--> SELECT x FROM s WHERE LAG(x) OVER (PARTITION BY k ORDER BY ts) > x

-- asof, qualify, filter, exclude
SELECT * EXCLUDE (b), max(x) FILTER (WHERE a) OVER () m FROM s ASOF JOIN t ON s.k = t.k AND s.ts >= t.ts QUALIFY m > 1
--> SELECT * EXCLUDE (b), MAX(x) FILTER(WHERE a) OVER () AS m FROM s ASOF JOIN t ON s.k = t.k AND s.ts >= t.ts QUALIFY m > 1

-- columns that are words of statements or types
SELECT force, s.map, map(k, v), MAP {'a': 1}, list list, lock AS grant FROM s GROUP BY force
--> SELECT "force", s."map", MAP(k, v), MAP {'a': 1}, "list" AS "list", "lock" AS "grant" FROM s GROUP BY "force"

-- integer division stays real
SELECT sum(a) / sum(b), a // b FROM s
--> SELECT SUM(a) / SUM(b), a // b FROM s
