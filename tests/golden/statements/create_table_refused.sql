-- construct: CREATE TABLE
CREATE TABLE limits (trader VARCHAR, most BIGINT);
-- error UnsupportedError
--| table limits has no primary key, and a table is the latest row per key (line 1, column 14)
--|   CREATE TABLE limits (trader VARCHAR, most BIGINT);
--|                ^^^^^^
--| hint: CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader)); or CREATE STREAM limits (…), which keeps every row
CREATE TABLE limits (trader VARCHAR, PRIMARY KEY (tradr));
-- error ParseError
--| unknown column 'tradr' (line 1, column 51)
--|   CREATE TABLE limits (trader VARCHAR, PRIMARY KEY (tradr));
--|                                                     ^^^^^
--| hint: did you mean trader?
CREATE TABLE limits (trader VARCHAR, PRIMARY KEY (trader));
CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader));
-- error JobExistsError
--| table limits is declared already, with other columns or options
--| hint: CREATE OR REPLACE TABLE limits …, or DROP TABLE limits
CREATE STREAM limits (trader VARCHAR);
-- error JobExistsError
--| limits is a table already
--| hint: DROP TABLE limits first, or give the stream another name
CREATE TABLE totals AS SELECT trader FROM limits;
-- error UnsupportedError
--| CREATE TABLE … AS SELECT is not supported (line 1, column 21)
--|   CREATE TABLE totals AS SELECT trader FROM limits;
--|                       ^^
--| hint: write CREATE STREAM totals AS SELECT … GROUP BY k: what a GROUP BY writes is read as a table
DROP STREAM limits;
-- error UnsupportedError
--| limits is a table, not a stream (line 1, column 1)
--|   DROP STREAM limits;
--|   ^^^^
--| hint: DROP TABLE limits
DROP TABLE limit;
-- error UnknownTopicError
--| unknown table 'limit'
--| hint: did you mean limits?
