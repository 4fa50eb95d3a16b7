-- construct: INSERT INTO … VALUES
CREATE TABLE limits (trader VARCHAR, most DECIMAL(10,2), PRIMARY KEY (trader));
INSERT INTO limits (trader, mst) VALUES ('T1', 1);
-- error BindError
--| limits has no column 'mst' (line 2, column 29)
--|   INSERT INTO limits (trader, mst) VALUES ('T1', 1);
--|                               ^^^
--| hint: did you mean most?
INSERT INTO limits VALUES ('T1', 1),
    ('T2', 'abc');
-- error BindError
--| most is DECIMAL(10,2): Could not convert string "abc" to DECIMAL(10,2) (line 2, column 12)
--|       ('T2', 'abc');
--|              ^^^^^
INSERT INTO limits VALUES (NULL, 1);
-- error BindError
--| trader is NULL, and it is the primary key (line 1, column 28)
--|   INSERT INTO limits VALUES (NULL, 1);
--|                              ^^^^
--| hint: give trader a value
INSERT INTO limits VALUES ('T1');
-- error BindError
--| limits has 2 columns (trader VARCHAR, most DECIMAL(10,2)), and a row of VALUES has 1 (line 1, column 1)
--|   INSERT INTO limits VALUES ('T1');
--|   ^^^^^^
--| hint: name the columns: INSERT INTO limits (trader) VALUES …
INSERT INTO limits (trader) VALUES ("T1");
-- error BindError
--| 'T1' is a column, and there is no row here (line 1, column 37)
--|   INSERT INTO limits (trader) VALUES ("T1");
--|                                       ^^^^
--| hint: write text in single quotes: 'T1'
