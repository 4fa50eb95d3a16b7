"""Subqueries as joins: the rewritten query, run by DuckDB, gives what the query as written gives."""

from __future__ import annotations

import random
import re

import duckdb
import pyarrow as pa
import pytest
from sqlglot import exp

from velostream_nb.core.errors import BindError, UnsupportedError
from velostream_nb.core.schema import StreamSchema
from velostream_nb.sql.aggregates import AGGREGATES, MACROS
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.plan_subquery import unnest_subqueries
from velostream_nb.sql.planner import Planner
from velostream_nb.sql.statements import StartJob
from velostream_nb.sql.subquery_joins import UNBOUNDED
from velostream_nb.sql.subquery_names import expressions_of, has_query
from velostream_nb.sql.subquery_scalar import OVER_NOTHING

COLUMNS = [("k", pa.string()), ("x", pa.int64()), ("y", pa.int64()), ("ts", pa.timestamp("us"))]
SCHEMAS = {
    "a": pa.schema(COLUMNS),
    "b": pa.schema([*COLUMNS[:3], ("z", pa.int64()), COLUMNS[3]]),
    "c": pa.schema([*COLUMNS, ("only_c", pa.int64())]),
    "sure": pa.schema([pa.field("k", pa.string()), pa.field("v", pa.int64(), nullable=False), COLUMNS[3]]),
}
KEYED = pa.schema([pa.field("k", pa.string(), nullable=False), ("cap", pa.int64())])


class Streams:
    """A catalog of three streams, one with a column that is never NULL, and a table."""

    def view(self, name: str) -> None:
        return None

    def stream(self, name: str) -> StreamInfo:
        if name == "caps":
            return StreamInfo(name, name, StreamSchema(KEYED, None, ("k",)), table=True)
        if name not in SCHEMAS:
            raise BindError(f"unknown stream {name!r}")
        return StreamInfo(name, name, StreamSchema(SCHEMAS[name], "ts"))


def unnested(query: str) -> exp.Select:
    """The query without subqueries in its expressions, those of derived tables neither."""
    (statement,) = parse(f"START JOB j AS {query}").statements
    assert isinstance(statement, StartJob)
    planner = Planner(statement.query, Streams(), {}, None)

    def visit(tree: exp.Select) -> exp.Select:
        tree = unnest_subqueries(planner, tree, {})
        assert not any(has_query(e) for e in expressions_of(tree))
        relations = [tree.args.get("from_"), *(tree.args.get("joins") or [])]
        for inner in [r.this for r in relations if r is not None and isinstance(r.this, exp.Subquery)]:
            for select in [inner.this] if isinstance(inner.this, exp.Select) else []:
                inner.set("this", visit(select))
        return tree

    assert isinstance(statement.query.tree, exp.Select)
    return visit(statement.query.tree)


def table(rng: random.Random, schema: pa.Schema, rows: int, nulls: float) -> pa.Table:
    def value(field: pa.Field) -> object:
        if field.nullable and rng.random() < nulls:
            return None
        if pa.types.is_string(field.type):
            return rng.choice("ABC")
        return rng.randrange(4)

    return pa.Table.from_pylist([{f.name: value(f) for f in schema} for _ in range(rows)], schema=schema)


def tables(seed: int) -> dict[str, pa.Table]:
    """Small domains, so that all meets; now and then an empty table, or one without NULLs."""
    rng = random.Random(seed)
    made = {
        name: table(rng, schema, rng.choice([0, 1, 3, 9, 9]), rng.choice([0, 0.2, 0.5]))
        for name, schema in SCHEMAS.items()
    }
    made["a"] = table(rng, SCHEMAS["a"], 9, rng.choice([0, 0.3]))
    keys = rng.sample("ABC", rng.randrange(4))
    made["caps"] = pa.Table.from_pylist([{"k": k, "cap": rng.choice([None, 1, 2])} for k in keys], schema=KEYED)
    return made


EXACT = [
    # IN, as a condition
    "SELECT * FROM a WHERE x IN (SELECT y FROM b)",
    "SELECT k, x FROM a WHERE a.x IN (SELECT x FROM b WHERE b.y > 1)",
    "SELECT * FROM a WHERE x NOT IN (SELECT y FROM b)",
    "SELECT * FROM a WHERE NOT (x IN (SELECT y FROM b WHERE y IS NOT NULL))",
    "SELECT * FROM a WHERE x IS NOT NULL AND x NOT IN (SELECT y FROM b WHERE b.y IS NOT NULL)",
    "SELECT * FROM a WHERE x IS NOT NULL AND x NOT IN (SELECT v FROM sure)",
    "SELECT * FROM sure WHERE v NOT IN (SELECT v FROM sure s WHERE s.k = 'A')",
    "SELECT * FROM a WHERE (k, x) IN (SELECT k, y FROM b)",
    "SELECT * FROM a WHERE (k, x) NOT IN (SELECT k, y FROM b)",
    "SELECT * FROM a WHERE x + 1 IN (SELECT y * 2 FROM b)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b UNION SELECT x FROM c)",
    "SELECT * FROM a WHERE x NOT IN (SELECT y FROM b UNION ALL SELECT only_c FROM c)",
    "SELECT * FROM a WHERE x IN (SELECT * FROM (SELECT y FROM b))",
    "SELECT * FROM a WHERE x IN (SELECT DISTINCT y FROM b ORDER BY y LIMIT 2)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b GROUP BY y HAVING count(*) > 1)",
    "SELECT * FROM a WHERE x IN (SELECT max(y) FROM b GROUP BY k)",
    "SELECT * FROM a WHERE x NOT IN (SELECT min(y) AS m FROM b GROUP BY 1 = 1, k)",
    "SELECT * FROM a WHERE x IN (SELECT count(*) FROM b)",
    "SELECT * FROM a WHERE x NOT IN (SELECT count(*) FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE x IN (SELECT 2)",
    "SELECT * FROM a WHERE x IN (VALUES (1), (2))",
    "SELECT * FROM a WHERE x IN (WITH q AS (SELECT y AS n FROM b) SELECT n FROM q WHERE n > 0)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE x NOT IN (SELECT y FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE x NOT IN (SELECT y FROM b WHERE b.k = a.k AND b.z > a.y)",
    "SELECT * FROM a WHERE x NOT IN (SELECT v FROM sure WHERE sure.k = a.k) AND x IS NOT NULL",
    "SELECT * FROM a WHERE x IN (SELECT b.y + a.y FROM b)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b WHERE b.k = a.k GROUP BY y HAVING count(*) > 1)",
    "SELECT * FROM a WHERE x IN (SELECT max(y) FROM b WHERE b.k = a.k GROUP BY z)",
    "SELECT * FROM a WHERE (x, y) IN (SELECT x, max(y) FROM b GROUP BY x)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b) AND y IN (SELECT x FROM c) AND k NOT IN (SELECT k FROM sure)",
    "SELECT * FROM a WHERE x IN (SELECT y FROM b WHERE k IN (SELECT k FROM c))",
    "SELECT * FROM a WHERE (SELECT max(x) FROM c) IN (SELECT y FROM b)",
    # EXISTS, as a condition
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE EXISTS (FROM b WHERE b.k = a.k AND b.x < a.x)",
    "SELECT * FROM a WHERE NOT EXISTS (SELECT * FROM b WHERE b.k = a.k AND b.x <> a.x AND b.y = 1)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE x = a.y)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b, c WHERE b.k = c.k AND c.only_c = a.x AND b.y = a.y)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b JOIN c ON b.k = c.k AND c.x = a.x)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b LEFT JOIN c ON b.k = c.k WHERE c.x = a.x OR b.x = a.x)",
    "SELECT * FROM a WHERE EXISTS (SELECT b.y AS n FROM b WHERE n = a.x LIMIT 1)",
    "SELECT * FROM a WHERE EXISTS (SELECT DISTINCT k FROM b WHERE b.k = a.k ORDER BY k)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE lower(b.k) = lower(a.k))",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k IS NOT DISTINCT FROM a.k)",
    "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k IS NOT DISTINCT FROM a.k AND b.x = a.x)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE y = 3)",
    "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE y = 3)",
    "SELECT * FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.k = a.k HAVING count(*) > 1)",
    "SELECT * FROM a WHERE EXISTS (SELECT count(*) FROM b WHERE b.k = a.k HAVING count(*) < 1)",
    "SELECT * FROM a WHERE NOT EXISTS (SELECT x FROM b WHERE b.k = a.k GROUP BY x HAVING count(*) > 1)",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 WHERE a.x > 1) AND NOT EXISTS (SELECT 1 WHERE a.y > 1)",
    "SELECT * FROM a WHERE NOT (x > 1 OR EXISTS (SELECT 1 FROM b WHERE b.k = a.k))",
    "SELECT * FROM a WHERE NOT (x > 1 AND EXISTS (SELECT 1 FROM b WHERE b.k = a.k))",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND EXISTS (SELECT 1 FROM c WHERE c.x = b.x))",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.x > (SELECT min(x) FROM c WHERE c.k = b.k))",
    "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.x > (SELECT min(x) FROM c WHERE c.k = b.k))",
    "SELECT x + 1 AS n FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.y = n)",
    "SELECT x + 1 AS n FROM a WHERE n IN (SELECT y FROM b)",
    "SELECT x + 1 AS n FROM a WHERE n > (SELECT avg(y) FROM b) OR x = 0",
    "SELECT p.k, q.y FROM a p JOIN b q ON p.k = q.k WHERE EXISTS (SELECT 1 FROM c WHERE c.x = p.x AND c.y = q.y)",
    "SELECT p.k, q.y FROM a p JOIN b q ON p.k = q.k AND q.y IN (SELECT x FROM c)",
    "SELECT p.k, q.y FROM a p LEFT JOIN b q ON p.k = q.k WHERE q.y NOT IN (SELECT x FROM c)",
    # ANY, ALL
    "SELECT * FROM a WHERE x = ANY (SELECT y FROM b)",
    "SELECT * FROM a WHERE x <> ALL (SELECT y FROM b)",
    "SELECT * FROM a WHERE x > ANY (SELECT y FROM b)",
    "SELECT * FROM a WHERE x <= ANY (SELECT y FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE x >= ALL (SELECT y FROM b)",
    "SELECT * FROM a WHERE x < ALL (SELECT y FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE x = ALL (SELECT y FROM b)",
    "SELECT * FROM a WHERE x <> ANY (SELECT y FROM b)",
    "SELECT * FROM a WHERE NOT x > ANY (SELECT y FROM b)",
    "SELECT k, x > ALL (SELECT y FROM b WHERE b.k = a.k) AS m, x <> ANY (SELECT y FROM b) AS n FROM a",
    "SELECT k, x = ALL (SELECT y FROM b WHERE b.k = a.k) AS m, x < ANY (SELECT y FROM b) AS n FROM a",
    # IN and EXISTS inside of expressions
    "SELECT * FROM a WHERE x > 1 OR x IN (SELECT y FROM b)",
    "SELECT * FROM a WHERE x > 1 OR x NOT IN (SELECT y FROM b)",
    "SELECT * FROM a WHERE x > 1 OR NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k)",
    "SELECT * FROM a WHERE (x IN (SELECT y FROM b)) IS NULL",
    "SELECT k, x IN (SELECT y FROM b) AS m FROM a",
    "SELECT k, x NOT IN (SELECT y FROM b) AS m FROM a",
    "SELECT k, x IN (SELECT y FROM b WHERE b.k = a.k) AS m FROM a",
    "SELECT k, x NOT IN (SELECT y FROM b WHERE b.k = a.k) AS m FROM a",
    "SELECT k, x IN (SELECT max(y) FROM b) AS m, x NOT IN (SELECT min(y) FROM b WHERE b.k = a.k) AS n FROM a",
    "SELECT k, x IN (SELECT max(y) FROM b GROUP BY k) AS m FROM a",
    "SELECT k, CASE WHEN EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.y = a.y) THEN 'both' ELSE 'one' END AS m FROM a",
    "SELECT k, EXISTS (SELECT 1 FROM b WHERE b.k IS NOT DISTINCT FROM a.k) AS m, EXISTS (FROM c) AS n FROM a",
    "SELECT *, x IN (SELECT y FROM b) AS m FROM a",
    "SELECT * EXCLUDE (ts), EXISTS (SELECT 1 FROM b WHERE b.x = a.x) AS m FROM a",
    "SELECT a.*, (SELECT max(x) FROM c) AS m FROM a, b WHERE a.k = b.k",
    # scalar
    "SELECT * FROM a WHERE x > (SELECT avg(y) FROM b)",
    "SELECT k, (SELECT max(y) - min(y) FROM b) AS m FROM a",
    "SELECT k, (SELECT count(*) FROM b WHERE b.k = a.k) AS n FROM a",
    "SELECT k, (SELECT count(*) + coalesce(sum(y), -1) FROM b WHERE b.k = a.k) AS n FROM a",
    "SELECT k, (SELECT count(y) FILTER (WHERE y > 1) FROM b WHERE b.k = a.k AND b.x = a.x) AS n FROM a",
    "SELECT k, (SELECT max(y) + a.x FROM b WHERE b.k = a.k) AS n FROM a",
    "SELECT k, (SELECT a.x + count(*) FROM b) AS n FROM a",
    "SELECT k, (SELECT sum(y) FROM b WHERE b.k = a.k HAVING count(*) < 2) AS n FROM a",
    "SELECT k, (SELECT count(*) FROM b WHERE b.k = a.k HAVING count(*) < 2) AS n FROM a",
    "SELECT k, (SELECT max(y) FROM b HAVING count(*) > 3) AS n FROM a",
    "SELECT k, (SELECT sum(y) FROM b WHERE b.k IS NOT DISTINCT FROM a.k) AS n FROM a",
    "SELECT k, (SELECT count(DISTINCT b.y) FROM b JOIN c USING (k) WHERE c.x = a.x) AS n FROM a",
    "SELECT k, (SELECT list(y ORDER BY y) FROM b WHERE lower(b.k) = lower(a.k)) AS n FROM a",
    "SELECT k, (SELECT x + y) AS n, (SELECT 1) AS one, (SELECT x WHERE y > 1) AS maybe FROM a",
    "SELECT k, (SELECT max(m) FROM (SELECT y AS m FROM b)) AS n, (SELECT m FROM (SELECT max(y) AS m FROM b)) AS o FROM a",
    "SELECT k, (SELECT m FROM (SELECT max(y) AS m FROM b) WHERE m > 2) AS n FROM a",
    "SELECT k, (SELECT cap FROM caps WHERE caps.k = a.k) AS n FROM a",
    "SELECT k, (SELECT coalesce(cap, 7) FROM caps WHERE caps.k = a.k AND cap IS DISTINCT FROM 2) AS n FROM a",
    "SELECT k, (SELECT cap + a.x FROM caps WHERE caps.k = a.k LIMIT 1) AS n, (SELECT 5 FROM caps WHERE k = 'A') AS f FROM a",
    "SELECT k, (SELECT max(y) FROM b WHERE b.k = a.k GROUP BY k) AS n FROM a",
    "SELECT k, (SELECT count(*) FROM b WHERE b.k = a.k GROUP BY b.k) AS n FROM a",
    "SELECT * FROM a WHERE x = (SELECT max(x) FROM a AS o WHERE o.k = a.k)",
    "SELECT * FROM a WHERE x > (SELECT avg(y) FROM b WHERE b.k = a.k) OR y = (SELECT min(x) FROM c)",
    "SELECT * FROM a WHERE x > (SELECT avg(y) FROM b WHERE b.x > (SELECT min(x) FROM c WHERE c.k = b.k))",
    "SELECT k, (SELECT max(y) + (SELECT min(x) FROM c) FROM b) AS n FROM a",
    "SELECT k, sum(x) OVER (PARTITION BY k ORDER BY x, y, ts) - (SELECT min(x) FROM b) AS n FROM a",
    "SELECT k, x FROM a QUALIFY row_number() OVER (ORDER BY x, y, k, ts) <= (SELECT count(*) FROM b)",
    "SELECT (SELECT max(x) FROM b), k FROM a",
    # beside aggregates
    "SELECT k, sum(x) AS s, sum(x) * 1.0 / (SELECT sum(x) FROM a) AS share FROM a GROUP BY k",
    "SELECT k, count(*) AS n FROM a WHERE x IN (SELECT y FROM b) GROUP BY k",
    "SELECT k, sum(x * (SELECT max(y) FROM b WHERE b.k = a.k)) AS s FROM a GROUP BY k",
    "SELECT k, sum(x) AS s FROM a GROUP BY k HAVING sum(x) > (SELECT avg(y) FROM b)",
    "SELECT k, sum(x) AS s FROM a GROUP BY k HAVING s >= (SELECT min(y) FROM b WHERE b.k = a.k)",
    "SELECT k, count(*) AS n FROM a GROUP BY k HAVING k IN (SELECT k FROM b)",
    "SELECT a.k AS kk, count(*) AS n FROM a GROUP BY kk HAVING NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k) AND n > 1",
    "SELECT upper(k) AS u, max(x) AS m FROM a GROUP BY 1 HAVING max(x) NOT IN (SELECT y FROM b)",
    "SELECT count(*) AS n, (SELECT count(*) FROM b) AS m FROM a WHERE x > 100",
    "SELECT max(x) AS n FROM a WHERE x > 100 HAVING count(*) < (SELECT count(*) + 1 FROM b)",
    "SELECT k, sum(x) AS s, sum(sum(x)) OVER () - (SELECT count(*) FROM b) AS t FROM a GROUP BY k",
    "SELECT k, y, count(*) AS n, (SELECT max(x) FROM c) AS m FROM a GROUP BY ROLLUP (k, y)",
    "SELECT DISTINCT x IN (SELECT y FROM b) AS m FROM a",
    # names: inner scope first
    "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE k = 'A' AND z = x)",
    "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b AS a WHERE a.z = x)",
    "SELECT k FROM a WHERE x IN (SELECT only_c FROM c WHERE ts IS NOT NULL AND y = a.y)",
    "SELECT k FROM a AS y WHERE EXISTS (SELECT 1 FROM b WHERE b.x = y.x)",
    "SELECT n FROM (SELECT k, x AS n FROM a) AS t WHERE n IN (SELECT y FROM b WHERE b.k = t.k)",
    "SELECT list_filter([1, 2, 3], lambda v: v > 1) AS l FROM a WHERE x IN (SELECT list_max(list_filter([y], lambda v: v > 0)) FROM b)",
]


ELSEWHERE = {
    # DuckDB has no correlated IN of several columns
    "SELECT * FROM a WHERE (x, y) NOT IN (SELECT x, y FROM b WHERE b.k = a.k)": (
        "SELECT * FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND (a.x = b.x AND a.y = b.y) IS NOT FALSE)"
    ),
    "SELECT * FROM a WHERE (x, y) IN (SELECT x, z FROM b WHERE b.k = a.k)": (
        "SELECT * FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND a.x = b.x AND a.y = b.z)"
    ),
}
"""Queries that DuckDB does not run, with the same in other words."""

SEMANTICS_OF_THEIR_OWN = [
    q
    for q in EXACT
    if "caps" in q  # a stream's row meets the table's row of that moment
    or "LEFT JOIN" in q  # a join of two streams that people write is bounded in time
    or "OVER" in q  # frames follow event time
]
"""Queries that mean something else over streams than over tables."""


@pytest.mark.parametrize("query", [*EXACT, *ELSEWHERE])
def test_the_joins_give_what_the_subquery_gives(query: str) -> None:
    rewritten = unnested(query).sql(dialect="duckdb")
    found = 0
    with duckdb.connect(config={"threads": 1}) as con:
        for seed in range(12):
            made = tables(seed)
            for name, rows in made.items():
                con.register(name, rows)
            expected, got = con.sql(ELSEWHERE.get(query, query)), con.sql(rewritten)
            assert [c.lower() for c in got.columns] == [c.lower() for c in expected.columns]
            rows = sorted(expected.fetchall(), key=repr)
            assert sorted(got.fetchall(), key=repr) == rows, (seed, rewritten)
            found += len(rows)
    assert found, "a case that gives no rows proves nothing"


def test_a_query_without_subqueries_is_left_as_it_is() -> None:
    (statement,) = parse("START JOB j AS SELECT k FROM (SELECT k FROM a WHERE x IN (SELECT y FROM b)) t").statements
    assert isinstance(statement, StartJob)
    planner = Planner(statement.query, Streams(), {}, None)
    tree = statement.query.tree
    assert isinstance(tree, exp.Select)
    assert unnest_subqueries(planner, tree, {}) is tree


def test_the_tree_that_was_given_stays() -> None:
    (statement,) = parse("START JOB j AS SELECT k FROM a WHERE x IN (SELECT y FROM b WHERE b.k = a.k)").statements
    assert isinstance(statement, StartJob)
    before = statement.query.tree.sql()
    tree = statement.query.tree
    assert isinstance(tree, exp.Select)
    assert unnest_subqueries(Planner(statement.query, Streams(), {}, None), tree, {}) is not tree
    assert statement.query.tree.sql() == before


def test_joins_are_marked_as_without_bound() -> None:
    joins = unnested("SELECT k FROM a WHERE x IN (SELECT y FROM b) AND y > (SELECT min(y) FROM b)").args["joins"]
    assert [j.meta.get(UNBOUNDED) for j in joins] == [True, True]
    assert [(j.kind, j.side) for j in joins] == [("SEMI", ""), ("SEMI", "")]


def test_no_look_for_nulls_where_there_are_none() -> None:
    sure = "SELECT k FROM a WHERE x IS NOT NULL AND x NOT IN (SELECT v FROM sure)"
    assert [j.kind for j in unnested(sure).args["joins"]] == ["ANTI"]
    unsure = "SELECT k FROM a WHERE x NOT IN (SELECT y FROM b)"
    assert [j.kind for j in unnested(unsure).args["joins"]] == ["ANTI", "SEMI"]


def test_a_row_that_only_filters_is_no_column() -> None:
    filtering = unnested("SELECT * FROM a WHERE x > (SELECT avg(y) FROM b)")
    assert [j.kind for j in filtering.args["joins"]] == ["SEMI"]
    assert filtering.args.get("where") is None
    shown = unnested("SELECT x, (SELECT avg(y) FROM b) AS m FROM a WHERE x > (SELECT avg(y) FROM b) + (SELECT 1)")
    assert [j.kind for j in shown.args["joins"]] == ["SEMI", "CROSS"]


def test_time_columns_stay_columns() -> None:
    """A bound in time is seen by the join only when the columns in it are plain ones."""
    query = "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 1 MINUTE)"
    (join,) = unnested(query).args["joins"]
    assert [e.this.sql() for e in join.this.this.expressions] == ["b.k", "b.ts"]


def test_aggregates_over_nothing() -> None:
    """Every aggregate that is not NULL over no rows is known, or a missing group would count as NULL."""
    found = {}
    with duckdb.connect() as con:
        for name in sorted(AGGREGATES | set(MACROS)):
            for arguments in ("x", "x, 1", "x, 0.5", "x > 0", "x::VARCHAR, ','", ""):
                try:
                    row = con.execute(f"SELECT {name}({arguments}) FROM (SELECT 1 AS x) WHERE false").fetchone()
                except duckdb.Error:
                    continue
                assert row is not None
                if row[0] is not None:
                    found[name] = float(row[0])
    assert found == {name: float(value) for name, value in OVER_NOTHING.items()}


REFUSED = {
    "SELECT k, (SELECT max(y) + (SELECT min(x) FROM c) FROM b WHERE b.k = a.k) AS n FROM a": ("outer query", "WITH"),
    "SELECT k, (SELECT y FROM b) AS n FROM a": ("several rows", "aggregate"),
    "SELECT k, (SELECT y FROM b ORDER BY ts DESC LIMIT 1) AS n FROM a": ("several rows", "arg_max"),
    "SELECT k, (SELECT y FROM b WHERE b.k = a.k AND b.ts <= a.ts ORDER BY b.ts DESC LIMIT 1) AS n FROM a": (
        "several rows",
        "ASOF",
    ),
    "SELECT k, (SELECT max(y) FROM b GROUP BY k) AS n FROM a": ("several rows", "aggregate"),
    "SELECT k, (SELECT cap FROM caps WHERE cap = a.x) AS n FROM a": ("several rows", "primary key"),
    "SELECT k, (SELECT x FROM b UNION SELECT y FROM b) AS n FROM a": ("several rows", "aggregate"),
    "SELECT k, (SELECT count(*) FROM b WHERE b.k = a.k AND b.ts <= a.ts) AS n FROM a": (
        "more than =",
        "window function",
    ),
    "SELECT k, (SELECT sum(b.y * a.x) FROM b WHERE b.k = a.k) AS n FROM a": ("inside an aggregate", "outside"),
    "SELECT k, (SELECT max(y), min(y) FROM b) AS n FROM a": ("several columns", "one column"),
    "SELECT k FROM a WHERE x IN (SELECT x, y FROM b)": ("1 value compared with 2 columns", "one column for each"),
    "SELECT k FROM a WHERE (x, y) IN (SELECT x FROM b)": ("2 values compared with 1 columns", "one column for each"),
    "SELECT k FROM a WHERE x > 1 OR EXISTS (SELECT 1 FROM b WHERE b.x > a.x)": ("more than =", "condition of its own"),
    "SELECT k, (x, y) IN (SELECT x, y FROM b) AS m FROM a": ("several columns", "condition of its own"),
    "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k LIMIT 3 OFFSET 1)": ("correlated", "join"),
    "SELECT k FROM a WHERE x IN (SELECT y FROM b WHERE b.k = a.k ORDER BY y LIMIT 3)": ("LIMIT", "arg_max"),
    "SELECT k FROM a WHERE x IN (SELECT sum(y) OVER () FROM b WHERE b.k = a.k)": ("window function", "WITH"),
    "SELECT k FROM a WHERE x IN (SELECT y FROM b WHERE b.k = a.k UNION SELECT y FROM c)": ("correlated", "each side"),
    "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b LEFT JOIN c ON c.k = a.k)": ("LEFT JOIN", "WITH"),
    "SELECT k FROM a WHERE EXISTS (SELECT k FROM b WHERE b.k = a.k GROUP BY k HAVING count(*) > a.x)": (
        "HAVING",
        "WITH",
    ),
    "SELECT k FROM a WHERE EXISTS (SELECT 1 FROM b WHERE EXISTS (SELECT 1 FROM c WHERE c.k = a.k AND c.x = b.x))": (
        "outer query",
        "WITH",
    ),
    "SELECT ARRAY(SELECT x FROM b) AS l FROM a": ("in the place of a list", "list(x)"),
    "SELECT a.k FROM a LEFT JOIN b ON a.k = b.k AND b.x IN (SELECT x FROM c)": (
        "condition of this join",
        "derived table",
    ),
    "SELECT max(x) AS m FROM a GROUP BY (SELECT 1)": ("GROUP", "WITH"),
    "SELECT k, max(x) AS m FROM a GROUP BY k HAVING y > (SELECT 1)": ("must be in GROUP BY", "any_value"),
    "SELECT k FROM a WHERE x IN (SELECT y FROM b) AND lag(x) OVER (ORDER BY ts) > 1": ("one WHERE", "QUALIFY"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_no_join_is_refused_with_a_rewrite(query: str) -> None:
    what, hint = REFUSED[query]
    with pytest.raises(UnsupportedError, match=re.escape(what)) as caught:
        unnested(query)
    assert caught.value.hint is not None
    assert hint in caught.value.hint
    assert caught.value.place is not None
    assert caught.value.place.line == 1


def test_an_unknown_stream_in_a_subquery_is_named_at_its_place() -> None:
    with pytest.raises(BindError, match="unknown stream 'nowhere'") as caught:
        unnested("SELECT k FROM a WHERE x IN (SELECT y FROM nowhere)")
    assert caught.value.place is not None
    assert caught.value.place.column == len("START JOB j AS SELECT k FROM a WHERE x IN (SELECT y FROM ") + 1
