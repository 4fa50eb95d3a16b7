-- construct: CREATE TABLE
-- A job over a table: a row that changes its desk leaves one group and comes to the other.
CREATE TABLE desks (trader VARCHAR, desk VARCHAR, PRIMARY KEY (trader));
START JOB sizes AS SELECT desk, count(*) AS traders FROM desks GROUP BY desk;

-- step
-- in desks:
--| {"trader": "T1", "desk": "equities"}
--| {"trader": "T2", "desk": "equities"}
--| {"trader": "T3", "desk": "rates"}
-- out sizes:
--| {"op": "upsert", "desk": "equities", "traders": 2}
--| {"op": "upsert", "desk": "rates", "traders": 1}

-- step: T2 moves
-- in desks:
--| {"trader": "T2", "desk": "rates"}
-- out sizes:
--| {"op": "upsert", "desk": "equities", "traders": 1}
--| {"op": "upsert", "desk": "rates", "traders": 2}

-- step: T1 leaves, and with it the desk
-- delete desks:
--| {"trader": "T1"}
-- out sizes:
--| {"op": "delete", "desk": "equities", "traders": 1}
