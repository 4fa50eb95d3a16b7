-- Texts that are refused. After `-->`: the error's class, line:column, and a part of what it says.

-- a string without its end
SELECT 'abc
--> ParseError 1:8 never closed

-- a comment without its end
SELECT 1 /* /* nested */
--> ParseError 1:10 comment is never closed

-- a name without its end
SELECT "abc
--> ParseError 1:8 quoted name is never closed

-- a dollar string without its end
SELECT $tag$ abc $tag
--> ParseError 1:8 $tag$-quoted string is never closed

-- an open bracket
SELECT (a FROM s
--> ParseError 1:8 never closed

-- a bracket too many
SELECT a) FROM s
--> ParseError 1:9 closes nothing

-- the place is in the whole text
STOP JOB a;

SELECT a
  FROM s WHERE WHERE x
--> ParseError 4:16 something is missing before 'WHERE'

-- a doubled comma
SELECT a,, b FROM s
--> ParseError 1:10 nothing stands before this comma

-- a comma first
SELECT , a FROM s
--> ParseError 1:8 nothing stands before this comma

-- a clause without its rest
SELECT a FROM s ORDER
--> ParseError 1:17 missing after ORDER

-- WHERE without its rest
SELECT a FROM s WHERE
--> ParseError 1:17 missing after WHERE

-- FROM without its rest
SELECT a FROM s WHERE a = = 1
--> ParseError 1:27 something is missing before '='

-- three words in a row
SELECT a b c FROM s
--> ParseError 1:12 did not expect 'c'

-- nothing selected
SELECT FROM s
--> ParseError 1:13 selects nothing

-- a misspelt statement
STRAT JOB j AS SELECT 1
--> ParseError 1:1 START

-- a misspelt kind
CREATE STREEM s (a INT)
--> ParseError 1:8 did you mean STREAM?

-- a misspelt list
SHOW JOB
--> ParseError 1:6 did you mean JOBS?

-- no name
START JOB AS SELECT 1
--> ParseError 1:11 expected the name of a job

-- a dash in a name
START JOB my-job AS SELECT 1
--> ParseError 1:13 must be quoted

-- a blank in a name
START JOB "my job" AS SELECT 1
--> ParseError 1:11 'my job' cannot be the name of a job

-- a job without a query
START JOB j AS
--> ParseError 1:14 expected a query

-- more after the statement
STOP JOB a b
--> ParseError 1:12 did not expect 'b'

-- options without equals
START JOB j AS SELECT * FROM s WITH ('a' 1)
--> ParseError 1:42 'output.topic' = 'alerts'

-- an option given twice
START JOB j AS SELECT * FROM s WITH ('a' = 1, 'A' = 2)
--> ParseError 1:47 given twice

-- an option given before and after
START JOB j WITH ('a' = 1) AS SELECT * FROM s WITH ('a' = 2)
--> ParseError 1:31 before the query and after it

-- options of a bare query
SELECT * FROM s WITH ('a' = 1)
--> UnsupportedError 1:1 belong to a job

-- EMIT in a subquery
SELECT * FROM (SELECT * FROM s EMIT CHANGES)
--> ParseError 1:32 outermost query

-- a limit that is no number
SELECT * FROM s EMIT CHANGES LIMIT x
--> ParseError 1:36 whole number

-- a number is no duration
SELECT count(*) FROM s WINDOW TUMBLING(ts, 60)
--> ParseError 1:44 expected a duration such as 5m

-- a month in a window
SELECT count(*) FROM s WINDOW TUMBLING(ts, INTERVAL '1' MONTH)
--> ParseError 1:53 a month

-- a capital M
SELECT count(*) FROM s WINDOW TUMBLING(ts, 1M)
--> ParseError 1:44 write 5m for minutes

-- size and slide exchanged
SELECT count(*) FROM s WINDOW SLIDING(ts, 1m, 5m)
--> ParseError 1:31 the slide is longer than the window

-- a cumulating window of broken steps
SELECT count(*) FROM CUMULATE(TABLE s, DESCRIPTOR(ts), 7s, 1m)
--> ParseError 1:22 whole number of steps

-- a window of no length
SELECT count(*) FROM s GROUP BY TUMBLE(ts, 0s)
--> ParseError 1:33 longer than zero

-- a time that is no column
SELECT count(*) FROM s GROUP BY TUMBLE(ts + 1, 1m)
--> ParseError 1:40 the time of a window is a column

-- a grace period
SELECT count(*) FROM s WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 1 MINUTE) GROUP BY a
--> ParseError 1:54 watermark.delay

-- a window in the SELECT list
SELECT tumble(ts, 1m) FROM s
--> ParseError 1:8 cannot stand here

-- the start of a window that is not there
SELECT tumble_start(ts, 1m) FROM s
--> BindError 1:8 needs its window

-- the start of another window
SELECT tumble_start(ts, 2m) FROM s GROUP BY TUMBLE(ts, 1m)
--> BindError 1:8 another window

-- two windows
SELECT count(*) FROM TUMBLE(TABLE s, DESCRIPTOR(ts), 1m) GROUP BY TUMBLE(ts, 2m)
--> UnsupportedError 1:67 one window

-- a session without aggregates
SELECT x FROM SESSION(TABLE s, DESCRIPTOR(ts), 5m)
--> UnsupportedError 1:15 add aggregates

-- a parameter nobody gave
SELECT $price FROM s
--> BindError 1:8 no value was given for $price

-- a placeholder of another spelling
SELECT ? FROM s
--> UnsupportedError 1:8 write $name

-- a placeholder with a colon
SELECT a FROM s WHERE x = :y
--> UnsupportedError 1:23 write $name

-- SELECT INTO
SELECT a INTO t FROM s
--> UnsupportedError 1:15 START JOB

-- a row change inside of a query
WITH x AS (DELETE FROM s RETURNING *) SELECT * FROM x
--> UnsupportedError 1:24 changes rows

-- a table without a primary key
CREATE TABLE t (a INT, b INT)
--> UnsupportedError 1:14 CREATE TABLE t (a INT, b INT, PRIMARY KEY (a))

-- a table of a query
CREATE TABLE t AS SELECT 1
--> UnsupportedError 1:16 CREATE STREAM t AS SELECT

-- a table of nothing
CREATE TABLE t
--> ParseError 1:14 FROM 'sectors.csv'

-- a file without quotes
CREATE TABLE t FROM sectors.csv
--> ParseError 1:21 path in quotes

-- a key that no column is
CREATE TABLE t (symbol VARCHAR, PRIMARY KEY (symbl))
--> ParseError 1:46 did you mean symbol?

-- a temporary table
CREATE TEMP TABLE t (a INT)
--> UnsupportedError 1:1 leave TEMP out

-- a materialized view
CREATE MATERIALIZED VIEW v AS SELECT 1
--> UnsupportedError 1:1 CREATE STREAM v AS

-- a view that emits
CREATE VIEW v AS SELECT a FROM s EMIT CHANGES
--> UnsupportedError 1:18 where the view is used

-- a view with options
CREATE VIEW v AS SELECT a FROM s WITH ('emit.every' = '1s')
--> UnsupportedError 1:18 where the view is used

-- a view's column twice
CREATE VIEW v (a, A) AS SELECT 1, 2
--> ParseError 1:19 named twice

-- a kind that is none
CREATE VEIW v AS SELECT 1
--> ParseError 1:8 did you mean VIEW?

-- dropping a kind that is none
DROP TABEL t
--> ParseError 1:6 did you mean TABLE?

-- ATTACH
ATTACH 'x.db'
--> UnsupportedError 1:1 velo run

-- COPY
COPY s TO 'x.csv'
--> UnsupportedError 1:1 velo run

-- INSTALL
INSTALL httpfs
--> UnsupportedError 1:1 extensions

-- PRAGMA
PRAGMA version
--> UnsupportedError 1:1 SET k = v

-- UPDATE
UPDATE s SET a = 1
--> UnsupportedError 1:1 never change

-- ALTER
ALTER TABLE s ADD COLUMN b INT
--> UnsupportedError 1:1 CREATE OR REPLACE STREAM

-- ALTER JOB without SET
ALTER JOB j limit = 5
--> ParseError 1:13 ALTER JOB spikes SET limit = 5

-- ALTER JOB without a value
ALTER JOB j SET limit =
--> ParseError 1:23 the new value of limit

-- ALTER JOB with more than a value
ALTER JOB j SET limit = 5 6
--> ParseError 1:27 did not expect

-- ALTER JOB twice the same
ALTER JOB j SET limit = 5, limit = 6
--> ParseError 1:28 set twice

-- rows of different lengths
INSERT INTO t VALUES (1, 2), (3)
--> ParseError 1:15 row 2 of VALUES has 1 value

-- fewer values than columns
INSERT INTO t (a, b) VALUES (1)
--> ParseError 1:22 2 columns are named

-- a column of INSERT twice
INSERT INTO t (a, b, A) VALUES (1, 2, 3)
--> ParseError 1:22 named twice

-- more after VALUES
INSERT INTO t VALUES (1), (2) LIMIT 1
--> ParseError 1:15 nothing may follow

-- columns of INSERT … SELECT
INSERT INTO t (a, b) SELECT 1, 2
--> UnsupportedError 1:15 … AS a, … AS b

-- a format of EXPLAIN
EXPLAIN (FORMAT yaml) SELECT 1
--> ParseError 1:17 text or json

-- an EXPLAIN of a declaration
EXPLAIN CREATE VIEW v AS SELECT 1
--> UnsupportedError 1:9 only a query or a job

-- an output that differs
INSERT INTO t SELECT 1 WITH ('output.topic' = 'u')
--> ParseError 1:1 differ

-- a stream without columns
CREATE STREAM s WITH ('topic' = 't')
--> ParseError 1:36 expected columns

-- an unknown type
CREATE STREAM s (a INT, b VARCHAAR)
--> ParseError 1:27 VARCHAR

-- a column without type
CREATE STREAM s (a, b INT)
--> ParseError 1:19 needs a type

-- a column twice
CREATE STREAM s (a INT, A TEXT)
--> ParseError 1:25 declared twice

-- a hidden name
CREATE STREAM s (__ts INT)
--> ParseError 1:18 taken by the engine

-- a default
CREATE STREAM s (a INT DEFAULT 1)
--> UnsupportedError 1:24 DEFAULT

-- a key that is no column
CREATE STREAM s (price INT, PRIMARY KEY (prise))
--> ParseError 1:42 did you mean price?

-- a time field that is no column
CREATE STREAM s (price INT) WITH ('event.time.field' = 'prise')
--> ParseError 1:29 did you mean price?

-- a time field of no time
CREATE STREAM s (a TEXT) WITH ('event.time.field' = 'a')
--> ParseError 1:26 cannot be the event time

-- two time fields
CREATE STREAM s (a BIGINT, b BIGINT, WATERMARK FOR a AS a) WITH ('event.time.field' = 'b')
--> ParseError 1:52 differ

-- explaining what is no query
EXPLAIN CREATE STREAM s (a INT)
--> UnsupportedError 1:9 only a query or a job
