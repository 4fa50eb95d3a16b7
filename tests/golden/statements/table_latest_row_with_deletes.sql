-- construct: CREATE TABLE
-- oracle: none
-- Rows by INSERT, rows from outside, a delete, and the row after it: the query sees the latest of each key.
CREATE TABLE limits (trader VARCHAR, most DECIMAL(10,2), PRIMARY KEY (trader));
INSERT INTO limits VALUES ('T1', 100.10), ('T2', 2 * 125), ('T3', DEFAULT);
-- query SELECT * FROM limits ORDER BY trader
--| {"trader": "T1", "most": 100.10}
--| {"trader": "T2", "most": 250.00}
--| {"trader": "T3", "most": null}

-- step
-- in limits:
--| {"trader": "T1", "most": 7.25}
-- delete limits:
--| {"trader": "T2"}
--| {"trader": "T9"}
-- query SELECT * FROM limits ORDER BY trader
--| {"trader": "T1", "most": 7.25}
--| {"trader": "T3", "most": null}

-- step
-- in limits:
--| {"trader": "T2", "most": 1}
-- query SELECT count(*) AS n, sum(most) AS most FROM limits
--| {"n": 3, "most": 8.25}
