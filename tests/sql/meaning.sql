-- Queries whose answer is compared: as written, and as we write them. Tables: see test_parse_meaning.py.

SELECT * FROM s;
SELECT id, volume / 4, volume // 4, -volume % 4, volume ** 2, 2 ^ 3, price::INT, CAST(price AS DECIMAL(10, 1)) FROM s;
SELECT symbol, sum(volume) / count(*), avg(price), stddev(price), arg_max(price, timestamp) FROM s GROUP BY symbol;
SELECT symbol, quantile_cont(price, 0.9), median(volume), max(n), approx_count_distinct(id) > 0 FROM s GROUP BY ALL;
SELECT id, lag(price) OVER w, lead(price, 2, 0.0) OVER w FROM s WINDOW w AS (PARTITION BY symbol ORDER BY timestamp);
SELECT id, avg(volume) OVER (PARTITION BY symbol ORDER BY timestamp ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) FROM s;
SELECT id, sum(volume) OVER (ORDER BY timestamp RANGE BETWEEN INTERVAL 5 SECONDS PRECEDING AND CURRENT ROW) FROM s;
SELECT id, sum(volume) OVER (ORDER BY timestamp RANGE BETWEEN INTERVAL '5 seconds' PRECEDING AND CURRENT ROW EXCLUDE
    CURRENT ROW) FROM s;
SELECT id, last_value(n IGNORE NULLS) OVER (ORDER BY id), first(n ORDER BY id DESC) OVER () FROM s;
SELECT s.id, q.bid FROM s ASOF LEFT JOIN q ON s.symbol = q.symbol AND s.timestamp >= q.timestamp;
SELECT a.id, b.id FROM s a JOIN s b ON a.symbol = b.symbol AND a.id != b.id AND b.timestamp BETWEEN a.timestamp -
    INTERVAL '2' SECOND AND a.timestamp + INTERVAL 2 SECOND;
SELECT * FROM s LEFT JOIN q USING (id);
SELECT * FROM s SEMI JOIN q USING (id);
SELECT * FROM s WHERE NOT EXISTS (FROM q WHERE q.id = s.id) AND (n IS DISTINCT FROM 3 OR n IN (1, 2));
SELECT symbol, count(*) FILTER (WHERE n IS NULL), count(DISTINCT n), string_agg(id::TEXT, ',' ORDER BY id) FROM s
    GROUP BY symbol HAVING count(*) > 3;
SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY price DESC, id) AS r FROM s QUALIFY r <= 3;
SELECT DISTINCT ON (symbol) symbol, id FROM s ORDER BY symbol, id DESC;
SELECT time_bucket(INTERVAL '7 seconds', timestamp, TIMESTAMP '1970-01-01'), count(*) FROM s GROUP BY 1 ORDER BY 1;
SELECT epoch_ms(timestamp), epoch_us(timestamp), date_trunc('minute', timestamp), extract(second FROM timestamp),
    date_diff('second', TIMESTAMP '2026-01-01', timestamp), strftime(timestamp, '%H:%M:%S.%f') FROM s;
SELECT timestamp + INTERVAL '1 hour 30 minutes', timestamp - INTERVAL '00:00:05', timestamp + INTERVAL 1 MONTH FROM s;
SELECT nested.a, nested.b[1], nested['a'], [1, 2, id][-1], {'x': id}.x, list_transform(nested.b, lambda x: x + 1)
    FROM s;
SELECT list_filter([1, 2, 3], lambda x: x > 1), [x * 2 FOR x IN [1, 2] IF x > 1], map([1], ['a']), MAP {'k': 1}['k'];
SELECT * EXCLUDE (nested) REPLACE (price * 2 AS price) FROM s;
SELECT COLUMNS('p.*'), COLUMNS(* EXCLUDE (nested, timestamp)) FROM s;
FROM s SELECT symbol, max(price) GROUP BY symbol ORDER BY ALL;
WITH a AS (SELECT symbol, max(id) m FROM s GROUP BY symbol), b AS MATERIALIZED (FROM a WHERE m > 5) FROM b JOIN a
    USING (m);
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r;
SELECT id FROM s EXCEPT SELECT id FROM q UNION ALL BY NAME SELECT 1 AS id ORDER BY id LIMIT 5 OFFSET 2;
SELECT CASE symbol WHEN 'S1' THEN 1 ELSE 0 END, if(n > 1, 'a', 'b'), coalesce(n, -1), nullif(n, 1), greatest(n, 2)
    FROM s;
SELECT symbol ILIKE 's%', symbol SIMILAR TO 'S[12]', symbol ~ 'S', regexp_extract(symbol, '(\d)', 1), symbol[2:]
    FROM s;
SELECT round(price, 2), round(2.5), round(-2.567, 1), 5 % 3, abs(-3), sqrt(2), ln(2), log(100), trunc(2.7), 1e3, 0.1
    + 0.2 FROM s;
SELECT 'it''s', E'a\nb\'', $$a'b$$, 'a' || NULL, concat('a', NULL), 'x' || 1;
SELECT count(*), sum(n), bool_and(n > 0), bit_xor(n), histogram(n), list(n ORDER BY id), min(price, 2) FROM s;
SELECT x.id FROM s x, LATERAL (SELECT x.id + 1 AS y) l WHERE l.y > 100;
SELECT unnest(nested.b), id FROM s;
SELECT g, symbol, sum(volume) FROM (SELECT *, id % 2 AS g FROM s) GROUP BY ROLLUP (g, symbol) ORDER BY ALL;
SELECT sum(volume) FROM s GROUP BY symbol ORDER BY 1 DESC NULLS FIRST;
VALUES (1, 'a'), (2, NULL);
SELECT json_extract_string('{"a": [1]}', '$.a[0]'), '{"a": 1}'::JSON -> 'a', '{"a": 1}'::JSON ->> '$.a';
SELECT price BETWEEN 1 AND 5 AND NOT volume = 3 OR n IS NULL, NOT (n = 1), - -volume, ~volume, volume << 2, volume &
    3 FROM s;
SELECT try_cast('x' AS INT), '5'::BIGINT, 3.7::INT, DATE '2026-01-02' + 3, TIME '01:02:03', 7::HUGEINT * 2, true::INT;
