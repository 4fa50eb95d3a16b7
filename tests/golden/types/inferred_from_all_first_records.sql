-- construct: inferred schemas
-- A later one of the first records has the fraction, another the field.

-- step
-- in t:
--| {"x": 1, "s": null, "timestamp": "2024-01-01 00:00:01"}
--| {"x": 2.5, "s": "a", "tags": [1], "timestamp": "2024-01-01 00:00:02"}
START JOB j AS SELECT x, s, tags FROM t;
-- out j:
--| {"x": 1.0, "s": null, "tags": null}
--| {"x": 2.5, "s": "a", "tags": [1]}

-- step
-- query DESCRIBE t
--| {"column": "x", "type": "DOUBLE", "null": true, "key": false, "role": "", "known": "inferred from its first records"}
--| {"column": "s", "type": "VARCHAR", "null": true, "key": false, "role": "", "known": "inferred from its first records"}
--| {"column": "timestamp", "type": "TIMESTAMP", "null": true, "key": false, "role": "event time", "known": "inferred from its first records"}
--| {"column": "tags", "type": "BIGINT[]", "null": true, "key": false, "role": "", "known": "inferred from its first records"}
