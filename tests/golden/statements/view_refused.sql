-- construct: CREATE VIEW
CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP);
CREATE VIEW big AS SELECT * FROM trades WHERE qty > 10;
CREATE VIEW bigger AS SELECT * FROM big WHERE qty > 100;
CREATE OR REPLACE VIEW big AS SELECT * FROM bigger;
-- error BindError
--| view big would read itself (line 4, column 24)
--|   CREATE OR REPLACE VIEW big AS SELECT * FROM bigger;
--|                          ^^^
--| hint: give it another name
CREATE VIEW wrong AS
SELECT symbl FROM trades;
-- error BindError
--| unknown column 'symbl' (line 2, column 8)
--|   SELECT symbl FROM trades;
--|          ^^^^^
--| hint: did you mean symbol?
CREATE VIEW trades AS SELECT * FROM big;
-- error JobExistsError
--| trades is a stream already
--| hint: DROP STREAM trades first, or give the view another name
CREATE VIEW sorted AS SELECT * FROM trades ORDER BY qty;
-- error UnsupportedError
--| ORDER BY cannot apply to a stream that never ends (line 1, column 53)
--|   CREATE VIEW sorted AS SELECT * FROM trades ORDER BY qty;
--|                                                       ^^^
--| hint: sort where you read (s.query('SELECT … ORDER BY …')), or add LIMIT n for the first n
DROP VIEW big;
-- error JobError
--| view big is read by view bigger
--| hint: DROP VIEW bigger first
DROP STREAM trades;
-- error JobError
--| stream trades is read by view big
--| hint: DROP VIEW big first
DROP TABLE big;
-- error UnsupportedError
--| big is a view, not a table (line 1, column 1)
--|   DROP TABLE big;
--|   ^^^^
--| hint: DROP VIEW big
INSERT INTO big VALUES ('A', 1, NULL);
-- error UnsupportedError
--| big is a view: it has no rows of its own (line 1, column 13)
--|   INSERT INTO big VALUES ('A', 1, NULL);
--|               ^^^
--| hint: write to the stream it reads
