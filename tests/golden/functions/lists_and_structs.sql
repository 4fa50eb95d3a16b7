-- construct: Python functions
-- Answers of nested types are DuckDB's from then on.
CREATE STREAM t (s VARCHAR, x DOUBLE, timestamp TIMESTAMP);
START JOB j AS SELECT words(s) AS w, len(words(s)) AS n, quote(x).ask AS ask FROM t;

-- step
-- in t:
--| {"s": "to be", "x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"s": "", "x": null, "timestamp": "2024-01-01 00:00:02"}
--| {"s": null, "x": 2, "timestamp": "2024-01-01 00:00:03"}
-- out j:
--| {"w": ["to", "be"], "n": 2, "ask": 2.0}
--| {"w": [], "n": 0, "ask": null}
--| {"w": null, "n": null, "ask": 3.0}

-- oracle:
--| SELECT list_filter(string_split(s, ' '), lambda w: w <> '') AS w, len(w) AS n, x + 1 AS ask FROM t
