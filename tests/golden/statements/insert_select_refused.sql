-- construct: INSERT INTO … SELECT
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE STREAM noted (symbol VARCHAR NOT NULL, qty INTEGER);
-- A name that is nearly right:
INSERT INTO noted SELECT symbol, 1::INTEGER AS qyt FROM trades;
-- error BindError
--| stream noted has no column 'qyt' that job insert_into_noted writes (line 3, column 34)
--|   INSERT INTO noted SELECT symbol, 1::INTEGER AS qyt FROM trades;
--|                                    ^^^^^^^^^^^^^^^^^
--| hint: did you mean qty?
-- A type that does not go in without loss:
INSERT INTO noted SELECT symbol, qty FROM trades;
-- error BindError
--| stream noted has qty INTEGER, and job insert_into_noted writes BIGINT (line 1, column 34)
--|   INSERT INTO noted SELECT symbol, qty FROM trades;
--|                                    ^^^
--| hint: write CAST(qty AS INTEGER) AS qty
-- A column that must be there:
INSERT INTO noted SELECT 1::INTEGER AS qty FROM trades;
-- error BindError
--| stream noted has the column symbol (NOT NULL), which job insert_into_noted does not write (line 1, column 1)
--|   INSERT INTO noted SELECT 1::INTEGER AS qty FROM trades;
--|   ^^^^^^
--| hint: add … AS symbol to the SELECT
-- Changes, where rows never change:
INSERT INTO noted SELECT symbol, count(*)::INTEGER AS qty FROM trades GROUP BY symbol;
-- error BindError
--| job insert_into_noted writes changes of its rows, and noted is a stream, whose rows never change (line 1, column 1)
--|   INSERT INTO noted SELECT symbol, count(*)::INTEGER AS qty FROM trades GROUP BY symbol;
--|   ^^^^^^
--| hint: declare it as CREATE TABLE noted (…, PRIMARY KEY (symbol)); or write into a topic of the job's own: START JOB insert_into_noted AS …
