-- construct: Top-N
CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP) WITH ('watermark.delay' = '1s');
START JOB j AS SELECT k, x FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp DESC) <= 2;

-- step
-- in t:
--| {"k": "a", "x": 5, "timestamp": "2024-01-01 00:00:01"}
--| {"k": "a", "x": 9, "timestamp": "2024-01-01 00:00:02"}
--| {"k": "b", "x": 3, "timestamp": "2024-01-01 00:00:02"}
-- out j:
--| {"op": "insert", "k": "a", "x": 9}
--| {"op": "insert", "k": "a", "x": 5}
--| {"op": "insert", "k": "b", "x": 3}

-- step: a third row
-- in t:
--| {"k": "a", "x": 7, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"op": "delete", "k": "a", "x": 5}
--| {"op": "insert", "k": "a", "x": 7}

-- step: lesser values
-- in t:
--| {"k": "a", "x": 1, "timestamp": "2024-01-01 00:00:04"}
--| {"k": "b", "x": 1, "timestamp": "2024-01-01 00:00:03.5"}
-- out j:
--| {"op": "delete", "k": "a", "x": 9}
--| {"op": "insert", "k": "a", "x": 1}
--| {"op": "insert", "k": "b", "x": 1}

-- final

-- oracle:
--| SELECT k, x FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY __ts DESC, __pos DESC) <= 2
