-- construct: types: JSON
-- JSON is kept as its text with all digits, and DuckDB's functions read it.
CREATE STREAM t (doc JSON, timestamp TIMESTAMP);
START JOB j AS SELECT doc, doc->>'$.a.b[0]' AS b, json_type(doc) AS kind FROM t;

-- step
-- in t:
--| {"doc": {"a": {"b": [1.10, null]}}, "timestamp": "2024-01-01 00:00:01"}
--| {"doc": [1, "x"], "timestamp": "2024-01-01 00:00:02"}
--| {"doc": "plain text", "timestamp": "2024-01-01 00:00:03"}
--| {"doc": "{\"a\": {\"b\": [\"as text\"]}}", "timestamp": "2024-01-01 00:00:04"}
--| {"doc": null, "timestamp": "2024-01-01 00:00:05"}
--| {"doc": true, "timestamp": "2024-01-01 00:00:06"}
-- out j:
--| {"doc": "{\"a\":{\"b\":[1.10,null]}}", "b": "1.1", "kind": "OBJECT"}
--| {"doc": "[1,\"x\"]", "b": null, "kind": "ARRAY"}
--| {"doc": "\"plain text\"", "b": null, "kind": "VARCHAR"}
--| {"doc": "{\"a\": {\"b\": [\"as text\"]}}", "b": "as text", "kind": "OBJECT"}
--| {"doc": null, "b": null, "kind": null}
--| {"doc": "true", "b": null, "kind": "BOOLEAN"}
