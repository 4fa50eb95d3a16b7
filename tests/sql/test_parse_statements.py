import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError, ParseError
from velostream_nb.sql.parse import parse, to_duckdb
from velostream_nb.sql.statements import (
    ControlJob,
    CreateStream,
    Describe,
    Drop,
    Explain,
    LoadTable,
    Pull,
    Push,
    SetOption,
    Show,
    StartJob,
    Statement,
)

ROOT = Path(__file__).parents[2]


def one(text: str, **params: object) -> Any:
    (statement,) = parse(text, params=params or None).statements
    return statement


def fields(statement: Statement) -> dict[str, object]:
    base = {"text", "place", "annotations"}
    return {name: getattr(statement, name) for name in type(statement).__dataclass_fields__ if name not in base}


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("STOP JOB j", ControlJob, {"action": "stop", "name": "j"}),
        ("pause job J", ControlJob, {"action": "pause", "name": "J"}),
        ('RESUME JOB "my-job"', ControlJob, {"action": "resume", "name": "my-job"}),
        ("RESTART JOB a.b", ControlJob, {"action": "restart", "name": "a.b"}),
        ("DROP JOB j", ControlJob, {"action": "drop", "name": "j"}),
        ("DROP STREAM s", Drop, {"name": "s", "kind": "stream", "if_exists": False}),
        ("DROP STREAM IF EXISTS s", Drop, {"name": "s", "kind": "stream", "if_exists": True}),
        ("SHOW jobs", Show, {"what": "JOBS"}),
        ("SHOW FUNCTIONS", Show, {"what": "FUNCTIONS"}),
        ("DESCRIBE s", Describe, {"name": "s"}),
        ("DESC stream", Describe, {"name": "stream"}),
        ("DESCRIBE JOB j", Describe, {"name": "j"}),
        ("SET Join.Within = '2s'", SetOption, {"key": "join.within", "value": "2s"}),
        ("SET 'join.within' = 2s", SetOption, {"key": "join.within", "value": "2s"}),
        ("SET a TO INTERVAL '2' SECOND", SetOption, {"key": "a", "value": "INTERVAL '2' SECOND"}),
        ("SET a = -3", SetOption, {"key": "a", "value": "-3"}),
        ("SET a = true", SetOption, {"key": "a", "value": "true"}),
        ("EXPLAIN JOB j", Explain, {"target": "j", "analyze": False, "form": "text"}),
        ("EXPLAIN ANALYZE JOB j", Explain, {"target": "j", "analyze": True, "form": "text"}),
    ],
)
def test_plain_statements(text: str, kind: type, wanted: dict[str, object]) -> None:
    statement = one(text)
    assert type(statement) is kind
    assert fields(statement) == wanted


@pytest.mark.parametrize(
    ("text", "name", "output", "options"),
    [
        ("START JOB j AS SELECT * FROM s", "j", "j", {}),
        ("START JOB j WITH ('Output.Topic' = 't') AS SELECT * FROM s", "j", "t", {"output.topic": "t"}),
        ("START JOB j AS SELECT * FROM s WITH (output.topic = t, 'n' = 3,)", "j", "t", {"output.topic": "t", "n": "3"}),
        ("START JOB j WITH ('a' = 5m) AS SELECT * FROM s WITH ('b' = 'it''s')", "j", "j", {"a": "5m", "b": "it's"}),
        ("CREATE STREAM v AS SELECT * FROM s", "v", "v", {}),
        ("CREATE STREAM v WITH ('topic' = 't') AS SELECT * FROM s", "v", "t", {"output.topic": "t"}),
        ("INSERT INTO a.b SELECT * FROM s", "insert_into_a.b", "a.b", {}),
        ("INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x", "insert_into_t", "t", {}),
        ("INSERT INTO t (SELECT * FROM s)", "insert_into_t", "t", {}),
    ],
)
def test_jobs(text: str, name: str, output: str, options: dict[str, str]) -> None:
    job = one(text)
    assert isinstance(job, StartJob)
    assert (job.name, job.output, job.options) == (name, output, options)


def test_inserts_of_one_text_have_names_of_their_own() -> None:
    script = parse("INSERT INTO t SELECT a FROM s; INSERT INTO u SELECT a FROM s; INSERT INTO t SELECT b FROM s")
    assert [job.name for job in script.statements] == ["insert_into_t", "insert_into_u", "insert_into_t_2"]


def test_a_job_keeps_the_parameters_that_it_uses() -> None:
    text = "START JOB a AS SELECT * FROM s WHERE x > $low; START JOB b AS SELECT * FROM s WHERE x < $high EMIT CHANGES"
    low, high = parse(text, params={"low": 1, "high": 2, "other": 3}).statements
    assert (low.params, high.params) == ({"low": 1}, {"high": 2})


def test_a_table_is_an_upsert_changelog_whose_key_is_never_null() -> None:
    table = one("CREATE TABLE IF NOT EXISTS t (k VARCHAR, x INT, PRIMARY KEY (k)) WITH ('topic' = 'u')")
    assert (table.table, table.if_not_exists, table.options) == (True, True, {"topic": "u"})
    assert (table.schema.key, table.schema.changelog) == (("k",), "upsert")
    assert [f.nullable for f in table.schema.columns] == [False, True]
    assert one("CREATE TABLE t (k INT PRIMARY KEY)").schema.key == ("k",)


@pytest.mark.parametrize(
    ("text", "key", "columns"),
    [
        ("CREATE TABLE t FROM 'a b.csv'", (), None),
        ("CREATE TABLE t (PRIMARY KEY (k)) FROM 'a b.csv'", ("k",), None),
        ("CREATE OR REPLACE TABLE t (k INT, x INT) FROM 'a b.csv'", (), ["k", "x"]),
        ("CREATE TABLE t (k INT PRIMARY KEY, x INT) FROM 'a b.csv'", ("k",), ["k", "x"]),
    ],
)
def test_a_table_of_a_file(text: str, key: tuple[str, ...], columns: list[str] | None) -> None:
    table = one(text)
    assert isinstance(table, LoadTable)
    assert (table.file, table.key) == ("a b.csv", key)
    assert (table.schema and table.schema.names) == columns


def test_a_view_may_name_its_columns() -> None:
    view = one("CREATE OR REPLACE VIEW v (a, b) AS SELECT x, y FROM s")
    assert view.or_replace
    assert to_duckdb(view.query.tree) == 'SELECT * FROM (SELECT x, y FROM s) AS "v"("a", "b")'


def test_rows_of_values_know_their_places() -> None:
    insert = one("INSERT INTO t (a, b) VALUES (f(1, 2), 'x'),\n  (DEFAULT, [3, 4])")
    assert [name for name, _ in insert.columns] == ["a", "b"]
    assert [[cell and cell.sql() for cell in row] for row in insert.rows] == [
        ["F(1, 2)", "'x'"],
        [None, "ARRAY(3, 4)"],
    ]
    assert [[(p.line, p.column, p.length) for p in row] for row in insert.places] == [
        [(1, 30, 7), (1, 39, 3)],
        [(2, 4, 7), (2, 13, 6)],
    ]


def test_new_values_of_parameters_are_expressions() -> None:
    alter = one("ALTER JOB j SET a = 5 + f(1, 2), $b = 'x, y', \"c\" = DATE '2024-01-01'")
    assert {name: tree.sql() for name, (tree, _) in alter.values.items()} == {
        "a": "5 + F(1, 2)",
        "b": "'x, y'",
        "c": "CAST('2024-01-01' AS DATE)",
    }


@pytest.mark.parametrize(
    ("text", "analyze", "form"),
    [
        ("EXPLAIN (FORMAT json) JOB j", False, "json"),
        ("EXPLAIN (ANALYZE, FORMAT 'JSON') JOB j", True, "json"),
        ("EXPLAIN ANALYZE (FORMAT text) JOB j", True, "text"),
        ("EXPLAIN (SELECT 1)", False, "text"),
    ],
)
def test_forms_of_explain(text: str, analyze: bool, form: str) -> None:
    explain = one(text)
    assert (explain.analyze, explain.form) == (analyze, form)


def test_the_wall_clock_is_a_call_of_its_own() -> None:
    assert to_duckdb(one("SELECT wall_clock(), now() - Wall_Clock() AS d FROM s").query.tree) == (
        "SELECT VELO_WALL() AS wall_clock, VELO_NOW() - VELO_WALL() AS d FROM s"
    )


def test_replace_is_told() -> None:
    assert one("START OR REPLACE JOB v AS SELECT 1").or_replace
    assert one("CREATE OR REPLACE STREAM v AS SELECT 1").or_replace
    assert not one("CREATE STREAM v AS SELECT 1").or_replace


@pytest.mark.parametrize(
    ("text", "emit", "limit", "tree"),
    [
        ("SELECT a FROM s EMIT CHANGES", "changes", None, "SELECT a FROM s"),
        ("SELECT a FROM s EMIT FINAL", "final", None, "SELECT a FROM s"),
        ("SELECT a FROM s EMIT CHANGES LIMIT 5", "changes", 5, "SELECT a FROM s"),
        ("SELECT a FROM s LIMIT 5 EMIT CHANGES", "changes", 5, "SELECT a FROM s"),
        ("SELECT a FROM s ORDER BY a LIMIT 5 EMIT CHANGES", "changes", None, "SELECT a FROM s ORDER BY a LIMIT 5"),
        ("(SELECT a FROM s EMIT CHANGES)", "changes", None, "SELECT a FROM s"),
    ],
)
def test_push_queries(text: str, emit: str, limit: int | None, tree: str) -> None:
    push = one(text)
    assert isinstance(push, Push)
    assert (push.query.emit, push.query.limit, to_duckdb(push.query.tree)) == (emit, limit, tree)


def test_emit_and_options_come_in_any_order() -> None:
    for tail in ("EMIT CHANGES WITH ('a' = 'b')", "WITH ('a' = 'b') EMIT CHANGES"):
        job = one(f"START JOB j AS SELECT a FROM s {tail}")
        assert (job.query.emit, job.options) == ("changes", {"a": "b"})


def test_emit_is_a_column_where_it_is_not_the_clause() -> None:
    pull = one("SELECT emit changes FROM s")
    assert isinstance(pull, Pull)
    assert to_duckdb(pull.query.tree) == "SELECT emit AS changes FROM s"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT * FROM a JOIN b USING (k)", ("a", "b")),
        ("SELECT * FROM a, a AS x", ("a",)),
        ('SELECT * FROM prices.eu, "my-topic"', ("prices.eu", "my-topic")),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM a", ("b",)),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ("a",)),
        ("WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT * FROM a", ()),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM A) SELECT * FROM b WHERE EXISTS (SELECT * FROM c, a)", ("c",)),
        ("SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) JOIN a ON true", ("a",)),
        ("SELECT * FROM range(5)", ()),
        ("FROM TUMBLE(TABLE s, DESCRIPTOR(ts), 1m) SELECT count(*)", ("s",)),
    ],
)
def test_names_are_topics_and_not_parts(text: str, names: tuple[str, ...]) -> None:
    assert one(text).names == names


def test_explain_holds_the_statement_it_explains() -> None:
    explain = one("-- @owner: desk\nEXPLAIN START JOB j AS\nSELECT * FROM s")
    assert isinstance(explain.target, StartJob)
    assert explain.target.text == "START JOB j AS\nSELECT * FROM s"
    assert explain.target.place.column == 9
    assert isinstance(one("EXPLAIN (SELECT 1)").target, Pull)
    assert isinstance(one("EXPLAIN ANALYZE SELECT * FROM s EMIT CHANGES").target, Push)


def test_a_stream_with_everything() -> None:
    stream = one("""
        CREATE OR REPLACE STREAM IF NOT EXISTS "my-stream" (
            symbol VARCHAR NOT NULL, price DECIMAL(18, 4) NULL, "Time" BIGINT, tags VARCHAR[],
            legs STRUCT(a INTEGER, b DOUBLE[]), at TIMESTAMP WITH TIME ZONE, key STRING, n INT,
            PRIMARY KEY (Symbol, n), WATERMARK FOR time AS time - INTERVAL '5' SECOND
        ) WITH ('topic' = 'q', 'Partitions' = 2)""")
    assert isinstance(stream, CreateStream)
    assert stream.name == "my-stream"
    assert stream.if_not_exists
    assert stream.or_replace
    assert stream.options == {"topic": "q", "partitions": "2", "watermark.delay": "5000000us"}
    assert stream.schema.time_column == "Time"
    assert stream.schema.key == ("symbol", "n")
    assert stream.schema.columns == pa.schema(
        [
            pa.field("symbol", pa.string(), nullable=False),
            pa.field("price", pa.decimal128(18, 4)),
            pa.field("Time", pa.timestamp("us")),
            pa.field("tags", pa.list_(pa.string())),
            pa.field("legs", pa.struct([("a", pa.int32()), ("b", pa.list_(pa.float64()))])),
            pa.field("at", pa.timestamp("us", tz="UTC")),
            pa.field("key", pa.string()),
            pa.field("n", pa.int32(), nullable=False),
        ]
    )


@pytest.mark.parametrize(
    ("columns", "options", "time"),
    [
        ("a INT, timestamp BIGINT", "", "timestamp"),
        ("a INT, ts TIMESTAMP, event_time BIGINT", "", "event_time"),
        ("a BIGINT, timestamp BIGINT", "WITH ('event.time.field' = 'A')", "a"),
        ("a INT, timestamp VARCHAR", "", None),
        ("a BIGINT, b BIGINT, WATERMARK FOR b", "", "b"),
    ],
)
def test_event_time(columns: str, options: str, time: str | None) -> None:
    schema = one(f"CREATE STREAM s ({columns}) {options}").schema
    assert schema.time_column == time
    if time is not None:
        assert schema.columns.field(time).type == pa.timestamp("us")


def test_a_plain_key_may_be_null() -> None:
    schema = one("CREATE STREAM s (a TEXT KEY, b INT)").schema
    assert schema.key == ("a",)
    assert schema.columns.field("a").nullable


VALUES = [
    "it's; -- $x", "", "\\", True, False, 5, -5, 2**70, 0.1, -1e300, math.inf, None, Decimal("1.50"), Decimal("-3"),
    dt.datetime(2026, 1, 2, 3, 4, 5, 678), dt.date(2026, 1, 2), dt.timedelta(days=-1, microseconds=7), np.int64(7),
    np.float64(0.5), np.bool_(True),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_parameter_is_its_value_for_duckdb(value: object) -> None:
    query = one("SELECT $x AS x, 1-$x IS NULL" if type(value) in (int, float) else "SELECT $x AS x", x=value)
    with duckdb.connect() as con:
        row = con.execute(to_duckdb(query.query.tree)).fetchone()
    assert row is not None
    assert row[0] == value


def test_a_parameter_with_a_zone_is_utc() -> None:
    moment = dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert "2026-01-02 01:00:00" in to_duckdb(one("SELECT $x", x=moment).query.tree)


def test_parameters_in_options_are_texts() -> None:
    job = one("START JOB j AS SELECT 1 WITH ('a' = $x, 'b' = $y, 'c' = $z)", x="t", y=True, z=dt.timedelta(seconds=2))
    assert job.options == {"a": "t", "b": "true", "c": "2000000us"}


def test_a_parameter_in_a_string_is_text() -> None:
    assert to_duckdb(one("SELECT '$x', $$ $x $$", x=1).query.tree) == "SELECT '$x', ' $x '"


def test_missing_and_odd_parameters() -> None:
    with pytest.raises(BindError, match="did you mean price") as caught:
        parse("SELECT\n  $prise", params={"price": 1})
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column, caught.value.place.length) == (2, 3, 6)
    with pytest.raises(BindError, match="is a list"):
        parse("SELECT $x", params={"x": [1]})
    with pytest.raises(BindError, match="NUL"):
        parse("SELECT $x", params={"x": "\0"})


def test_text_place_and_annotations_of_each_statement() -> None:
    script = parse("-- SQL Application: demo\n\n-- @name: first\nSTOP JOB a;\n\nSHOW JOBS;")
    stop, show = script.statements
    assert script.header == {"sql application": "demo"}
    assert (stop.text, stop.place.line, stop.annotations) == ("STOP JOB a", 4, {"name": "first"})
    assert (show.text, show.place.line, show.annotations) == ("SHOW JOBS", 6, {})


def test_the_first_error_names_its_place_in_the_whole_text() -> None:
    with pytest.raises(ParseError) as caught:
        parse("SHOW JOBS;\nSELECT a FROM s;\n  SELECT b FRM s x;")
    assert caught.value.place is not None
    assert caught.value.place.line == 3


def test_the_legacy_application_parses() -> None:
    script = parse((ROOT / "tests/sql/legacy.sql").read_text())
    assert script.header["sql application"] == "Financial Trading Analytics"
    assert [(type(s), s.output) for s in script.statements if isinstance(s, StartJob)] == [
        (StartJob, "price_alerts"),
        (StartJob, "volume_spikes"),
        (StartJob, "risk_alerts"),
        (StartJob, "order_imbalance_alerts"),
        (StartJob, "arbitrage_opportunities"),
    ]
    assert script.statements[0].annotations["name"] == "Price Movement Detection"
    assert script.statements[0].annotations["property"] == "replicas=2\ntopics=market_data"


def test_the_demo_declares_what_the_generator_makes() -> None:
    from velostream_generator.schemas import SCHEMAS

    script = parse((ROOT / "sql/financial_trading.sql").read_text())
    streams = {s.name: s.schema for s in script.statements if isinstance(s, CreateStream)}
    assert set(streams) == set(SCHEMAS)
    for name, schema in streams.items():
        assert [(f.name, f.type) for f in schema.columns] == [(f.name, f.type) for f in SCHEMAS[name]]
        assert schema.time_column == "timestamp"
