"""Tables, views and rows by INSERT, over every form of session."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from velostream_nb.core.errors import (
    BindError,
    BrokerError,
    ConfigError,
    JobError,
    JobExistsError,
    SchemaError,
    UnknownTopicError,
    UnsupportedError,
    VeloError,
)
from velostream_nb.core.model import SessionLike
from velostream_nb.jobs.session import Session

LIMITS = "CREATE TABLE limits (trader VARCHAR, most DECIMAL(18,2), since DATE, PRIMARY KEY (trader))"
TRADES = "CREATE STREAM trades (trader VARCHAR, symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP)"
ROWS = """INSERT INTO trades VALUES
    ('T1', 'A', 5, '2026-01-01 00:00:00'), ('T1', 'A', 50, '2026-01-01 00:00:01'), ('T2', 'B', 20, TIMESTAMP '2026-01-01 00:00:12')"""


def rows(s: SessionLike, text: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in s.query(text).to_pylist()]


# -- tables -------------------------------------------------------------------------------------------------------------


def test_a_table_is_the_latest_row_per_key_with_deletes(s: SessionLike) -> None:
    s.sql(LIMITS)
    s.sql("INSERT INTO limits VALUES ('T1', 100.10, '2026-01-01'), ('T2', 1e3, NULL), ('T3', -7 * 2, DEFAULT)")
    s.produce("limits", [{"trader": "T1", "most": 250}])
    s.produce("limits", [{"trader": "T2"}], op="delete")
    wanted = [("T1", Decimal("250.00"), None), ("T3", Decimal("-14.00"), None)]
    assert rows(s, "SELECT * FROM limits ORDER BY trader") == wanted
    assert sorted(tuple(r.values()) for r in s.read("limits").to_pylist()) == wanted
    assert s.read("limits", changelog=True).num_rows == 5
    s.produce("limits", [{"trader": "T2", "most": 1}])
    assert rows(s, "SELECT count(*), sum(most) FROM limits") == [(3, Decimal("237.00"))]


def test_a_stream_meets_the_rows_that_a_table_has(s: SessionLike) -> None:
    s.sql(f"{LIMITS}; {TRADES}; INSERT INTO limits (trader, most) VALUES ('T1', 10)")
    s.sql(
        "START JOB breaches AS SELECT t.trader, qty, most FROM trades t JOIN limits l USING (trader) WHERE qty > most"
    )
    s.drain()
    s.sql(ROWS)
    s.drain()
    assert rows(s, "SELECT * FROM breaches") == [("T1", 50, Decimal("10.00"))]


def test_declaring_a_table_again(s: SessionLike) -> None:
    s.sql(LIMITS)
    assert "already" in s.sql(LIMITS)[0].message
    assert "already" in s.sql("CREATE TABLE IF NOT EXISTS limits (trader VARCHAR PRIMARY KEY)")[0].message
    with pytest.raises(JobExistsError, match="other columns"):
        s.sql("CREATE TABLE limits (trader VARCHAR PRIMARY KEY)")
    with pytest.raises(JobExistsError, match="limits is a table already"):
        s.sql("CREATE STREAM limits (trader VARCHAR)")
    with pytest.raises(JobExistsError, match="limits is a table already"):
        s.sql("CREATE VIEW limits AS SELECT 1 FROM limits")
    s.sql("CREATE OR REPLACE TABLE limits (trader VARCHAR PRIMARY KEY)")
    assert rows(s, "SELECT column_name FROM (DESCRIBE SELECT * FROM limits)") == [("trader",)]


@pytest.mark.parametrize(
    ("text", "says", "hint", "at"),
    [
        ("INSERT INTO limits (trader, mst) VALUES ('a', 1)", "no column 'mst'", "most", (1, 29)),
        ("INSERT INTO limits (trader, most) VALUES ('a', 1),\n  ('b', 'abc')", "most is DECIMAL(18,2)", "", (2, 9)),
        ("INSERT INTO limits (trader, most) VALUES ('a', 99999999999999999.0)", "most is", "", (1, 48)),
        ("INSERT INTO limits (trader) VALUES ('a'), (NULL)", "it is the primary key", "a value", (1, 44)),
        ("INSERT INTO limits (most) VALUES (1)", "trader is left out", "a value", (1, 1)),
        ("INSERT INTO limits VALUES ('a')", "a row of VALUES has 1", "INSERT INTO limits (trader) VALUES", (1, 1)),
        ('INSERT INTO limits (trader) VALUES ("a")', "'a' is a column", "single quotes: 'a'", (1, 37)),
        ("INSERT INTO limits (trader) VALUES (upperr('a'))", "unknown function 'upperr'", "upper", (1, 37)),
        ("INSERT INTO limits (trader) VALUES ((SELECT 'a'))", "a query cannot stand here", "a value", None),
    ],
)
def test_rows_that_cannot_be_inserted(
    s: SessionLike, text: str, says: str, hint: str, at: tuple[int, int] | None
) -> None:
    s.sql(LIMITS)
    with pytest.raises(VeloError) as caught:
        s.sql(text)
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.place is not None
    assert at is None or (caught.value.place.line, caught.value.place.column) == at
    assert rows(s, "SELECT count(*) FROM limits") == [(0,)]


def test_values_are_expressions_typed_by_their_columns(s: SessionLike) -> None:
    s.sql("CREATE STREAM x (l INTEGER[], s STRUCT(a INTEGER, b VARCHAR), d DOUBLE, t TIMESTAMP, n UBIGINT, b BLOB)")
    s.sql("INSERT INTO x VALUES ([1, 2], {'a': 1, 'b': upper('q')}, 1, DATE '2026-01-01' + 1, 2 ** 3, 'a')")
    assert s.read("x").to_pylist() == [
        {"l": [1, 2], "s": {"a": 1, "b": "Q"}, "d": 1.0, "t": dt.datetime(2026, 1, 2), "n": 8, "b": b"a"}
    ]


def test_rows_by_insert_reach_the_jobs(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB big AS SELECT trader, qty FROM trades WHERE qty >= $least", params={"least": 20})
    s.sql(ROWS)
    s.drain()
    assert rows(s, "SELECT * FROM big ORDER BY qty") == [("T2", 20), ("T1", 50)]


# -- reference tables ---------------------------------------------------------------------------------------------------


@pytest.fixture
def local() -> Session:
    with Session() as session:
        yield session


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sectors.csv").write_text("symbol,sector,weight\nA,tech,0.5\nB,bank,1.5\n")
    return tmp_path


def test_a_file_is_a_table_whose_path_is_relative(local: Session, folder: Path) -> None:
    local.sql("CREATE TABLE sectors (PRIMARY KEY (Symbol)) FROM 'sectors.csv'")
    local.sql(TRADES)
    local.sql("START JOB named AS SELECT t.symbol, s.sector, t.qty FROM trades t JOIN sectors s ON t.symbol = s.symbol")
    local.sql(ROWS)
    local.drain()
    assert rows(local, "SELECT sector, sum(qty) FROM named GROUP BY 1 ORDER BY 1") == [("bank", 20), ("tech", 55)]
    assert local.read("sectors").num_rows == 2
    (shown,) = local.query("SHOW TABLES").to_pylist()
    assert (shown["kind"], shown["key"], shown["source"]) == ("file", "symbol", str(folder / "sectors.csv"))
    (folder / "sectors.csv").write_text("symbol,sector,weight\nA,steel,1\n")
    local.sql("CREATE OR REPLACE TABLE sectors FROM 'sectors.csv'")
    assert rows(local, "SELECT * FROM sectors") == [("A", "steel", 1)]
    local.sql("DROP TABLE sectors")
    with pytest.raises(BindError):
        local.query("SELECT * FROM sectors")


@pytest.mark.parametrize("name", ["list.json", "lines.jsonl", "rows.parquet", "rows.tsv"])
def test_every_format_of_file(local: Session, folder: Path, name: str) -> None:
    path = folder / name
    if name == "list.json":
        path.write_text('[\n {"k": "a", "x": 1.10},\n {"k": "]", "x": 2}\n]\n')
    elif name == "lines.jsonl":
        path.write_text('{"k": "a", "x": 1.10}\n{"k": "]", "x": 2}\n')
    elif name == "rows.tsv":
        path.write_text("k\tx\na\t1.10\n]\t2\n")
    else:
        local.produce("t", [{"k": "a", "x": 1.1}, {"k": "]", "x": 2.0}])
        import pyarrow.parquet as pq

        pq.write_table(local.read("t"), path)
    local.sql(f"CREATE TABLE f FROM '{name}'")
    assert rows(local, "SELECT * FROM f") == [("a", 1.1), ("]", 2.0)]


def test_declared_columns_of_a_file_keep_its_digits(local: Session, folder: Path) -> None:
    (folder / "x.json").write_text('[{"k": 1, "x": 0.12345678901234567890}]')
    local.sql("CREATE TABLE x (k INTEGER, x DECIMAL(30,20), PRIMARY KEY (k)) FROM 'x.json'")
    assert rows(local, "SELECT x FROM x") == [(Decimal("0.12345678901234567890"),)]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("CREATE TABLE x FROM 'sector.csv'", BrokerError, "sectors.csv"),
        ("CREATE TABLE x FROM 'sectors.xlsx'", ConfigError, "ends in '.xlsx'"),
        ("CREATE TABLE x (PRIMARY KEY (smbol)) FROM 'sectors.csv'", SchemaError, "symbol"),
        ("CREATE TABLE x (symbol VARCHAR, sector INTEGER) FROM 'sectors.csv'", SchemaError, "record 1 of sectors.csv"),
        ("CREATE TABLE x FROM 'twice.csv'", None, ""),
        ("CREATE TABLE x (PRIMARY KEY (k)) FROM 'twice.csv'", SchemaError, "k = 1 is there 2 times"),
        ("CREATE TABLE x FROM 'empty.csv'", SchemaError, "columns are not known"),
        ("CREATE TABLE x FROM 'broken.json'", BrokerError, "not a JSON list"),
        ("CREATE TABLE x FROM 'sectors.csv' WITH ('retention.rows' = 5)", ConfigError, "takes no option"),
    ],
)
def test_files_that_are_no_tables(
    local: Session, folder: Path, text: str, kind: type[VeloError] | None, says: str
) -> None:
    (folder / "twice.csv").write_text("k,x\n1,1\n2,1\n1,2\n")
    (folder / "empty.csv").write_text("")
    (folder / "broken.json").write_text('[{"k": 1} {"k": 2}]')
    if kind is None:
        local.sql(text)
        return
    with pytest.raises(kind) as caught:
        local.sql(text)
    assert says in str(caught.value)
    with pytest.raises(BindError):
        local.query("SELECT * FROM x")


def test_the_rows_of_a_file_are_not_written_to(local: Session, folder: Path) -> None:
    local.sql("CREATE TABLE sectors FROM 'sectors.csv'")
    local.sql(TRADES)
    for text in ("INSERT INTO sectors VALUES ('C', 'x', 1)", "INSERT INTO sectors SELECT symbol FROM trades"):
        with pytest.raises(UnsupportedError, match=r"are those of .*sectors\.csv"):
            local.sql(text)
    with pytest.raises(UnsupportedError, match=r"are those of .*sectors\.csv"):
        local.produce("sectors", [{"symbol": "C"}])


def test_sql_over_http_reads_no_files(s: SessionLike, folder: Path) -> None:
    text = "CREATE STREAM a (x INT); CREATE TABLE sectors (PRIMARY KEY (symbol)) FROM 'sectors.csv'"
    if isinstance(s, Session):
        s.sql(text)
        assert rows(s, "SELECT count(*) FROM sectors") == [(2,)]
        return
    with pytest.raises(UnsupportedError, match="reads no files") as caught:
        s.sql(text)
    assert "s.produce('sectors', pandas.read_csv('sectors.csv'))" in (caught.value.hint or "")
    assert s.query("SHOW STREAMS").num_rows == 0  # refused before anything runs


# -- views --------------------------------------------------------------------------------------------------------------


VIEWS = """CREATE VIEW big AS SELECT * FROM trades WHERE qty > 10;
    CREATE VIEW per_symbol (symbol, total) AS SELECT symbol, sum(qty) FROM Big GROUP BY symbol"""


def test_views_are_read_by_queries_jobs_and_views(s: SessionLike) -> None:
    s.sql(f"{TRADES}; {VIEWS}")
    s.sql("START JOB totals AS SELECT * FROM per_symbol")
    s.sql(ROWS)
    s.drain()
    wanted = [("A", 50), ("B", 20)]
    for text in ("SELECT * FROM per_symbol ORDER BY 1", "SELECT * FROM totals ORDER BY 1"):
        assert rows(s, text) == wanted
    assert sorted(tuple(r.values()) for r in s.read("per_symbol").to_pylist()) == wanted
    assert rows(s, "WITH big AS (SELECT 1 AS x) SELECT x, total FROM big, per_symbol WHERE symbol = 'B'") == [(1, 20)]
    assert [v["view"] for v in s.query("SHOW VIEWS").to_pylist()] == ["big", "per_symbol"]
    described = s.query("DESCRIBE per_symbol").to_pylist()
    assert [(c["column"], c["type"], c["known"]) for c in described] == [
        ("symbol", "VARCHAR", "by its query"),
        ("total", "BIGINT", "by its query"),
    ]


def test_a_view_is_certified_when_it_is_created(s: SessionLike) -> None:
    s.sql(TRADES)
    with pytest.raises(BindError) as caught:
        s.sql("CREATE VIEW v AS\nSELECT qtty FROM trades")
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (2, 8)
    with pytest.raises(BindError, match="there is no"):
        s.sql("CREATE VIEW v AS SELECT symbol / qty FROM trades")
    with pytest.raises(UnsupportedError, match="ORDER BY"):
        s.sql("CREATE VIEW v AS SELECT symbol FROM trades ORDER BY 1")
    assert s.query("SHOW VIEWS").num_rows == 0


def test_an_error_in_a_view_is_placed_in_its_own_text(s: SessionLike) -> None:
    s.sql(
        f"{TRADES}; CREATE VIEW v AS SELECT symbol, qty FROM trades; CREATE OR REPLACE STREAM trades (symbol VARCHAR)"
    )
    with pytest.raises(BindError, match="unknown column 'qty'") as caught:
        s.sql("START JOB j AS SELECT * FROM v")
    assert caught.value.place is not None
    assert "CREATE VIEW v AS SELECT symbol, qty" in caught.value.place.caret()


def test_views_do_not_read_themselves_and_hide_no_topic(s: SessionLike) -> None:
    s.sql(f"{TRADES}; {VIEWS}")
    with pytest.raises(BindError, match="would read itself"):
        s.sql("CREATE OR REPLACE VIEW big AS SELECT * FROM per_symbol")
    s.produce("ticks", [{"x": 1}])
    with pytest.raises(JobExistsError, match="ticks is a topic"):
        s.sql("CREATE VIEW ticks AS SELECT * FROM ticks")
    for write in (
        lambda: s.produce("big", [{"qty": 1}]),
        lambda: s.sql("INSERT INTO big VALUES ('T1', 'A', 1, NULL)"),
        lambda: s.sql("START JOB j AS SELECT * FROM trades WITH ('output.topic' = 'big')"),
    ):
        with pytest.raises(UnsupportedError, match="big is a view"):
            write()


def test_a_running_job_does_not_mind_that_its_view_goes(s: SessionLike) -> None:
    s.sql(f"{TRADES}; CREATE VIEW big AS SELECT * FROM trades WHERE qty > 10; START JOB j AS SELECT qty FROM big")
    s.sql("CREATE OR REPLACE VIEW big AS SELECT * FROM trades WHERE qty > 1000; DROP VIEW big")
    s.sql(ROWS)
    s.drain()
    assert rows(s, "SELECT qty FROM j ORDER BY 1") == [(20,), (50,)]


# -- dropping -----------------------------------------------------------------------------------------------------------


def test_what_others_need_is_not_dropped(s: SessionLike) -> None:
    s.sql(f"{LIMITS}; {TRADES}; {VIEWS}; START JOB j AS SELECT l.most FROM trades JOIN limits l USING (trader)")
    for text, says, hint in (
        ("DROP VIEW big", "view big is read by view per_symbol", "DROP VIEW per_symbol first"),
        ("DROP STREAM trades", "stream trades is read by view big", "DROP VIEW big first"),
        ("DROP TABLE limits", "table limits is used by j", "STOP JOB j first"),
    ):
        with pytest.raises(JobError) as caught:
            s.sql(text)
        assert (caught.value.message, caught.value.hint) == (says, hint)
    s.sql("DROP JOB j; DROP STREAM j; DROP VIEW per_symbol; DROP VIEW big; DROP STREAM trades; DROP TABLE limits")
    assert [t.name for t in s.topics()] == []
    assert s.query("SHOW TABLES").num_rows == s.query("SHOW VIEWS").num_rows == s.query("SHOW STREAMS").num_rows == 0


def test_dropping_something_of_another_kind_or_nothing(s: SessionLike) -> None:
    s.sql(LIMITS)
    with pytest.raises(UnsupportedError, match="limits is a table, not a stream") as caught:
        s.sql("DROP STREAM limits")
    assert caught.value.hint == "DROP TABLE limits"
    with pytest.raises(UnknownTopicError) as unknown:
        s.sql("DROP VIEW limit")
    assert "limits" in (unknown.value.hint or "")
    assert "there is no view limit" in s.sql("DROP VIEW IF EXISTS limit")[0].message


# -- looking ------------------------------------------------------------------------------------------------------------


def test_describe_says_key_time_watermark_and_how_columns_are_known(s: SessionLike) -> None:
    s.sql("CREATE STREAM q (k VARCHAR NOT NULL, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)")
    s.sql(LIMITS)
    s.produce("inferred", [{"a": 1}])
    s.sql("START JOB per_k AS SELECT k, count(*) AS n FROM q GROUP BY k WITH ('output.topic' = 'counts')")
    q = s.query("DESCRIBE q").to_pylist()
    assert [(c["column"], c["null"], c["role"], c["known"]) for c in q] == [
        ("k", False, "", "declared"),
        ("ts", True, "event time, watermark 5s behind", "declared"),
    ]
    assert s.query("DESCRIBE inferred").to_pylist()[0]["known"] == "inferred from its first records"
    trader = s.query("DESCRIBE TABLE limits").to_pylist()[0]
    assert (trader["column"], trader["key"], trader["null"]) == ("trader", True, False)
    counts = s.query("DESCRIBE counts").to_pylist()
    assert [(c["column"], c["role"], c["known"]) for c in counts] == [
        ("k", "key", "written by job per_k"),
        ("n", "", "written by job per_k"),
    ]
    tables = {t["table"]: (t["kind"], t["key"]) for t in s.query("SHOW TABLES").to_pylist()}
    assert tables == {"limits": ("topic", "trader"), "counts": ("job", "k")}


def test_texts_of_a_kind_are_checked_when_they_are_inserted(s: SessionLike) -> None:
    s.sql("CREATE STREAM x (u UUID, j JSON, e ENUM('a', 'b'))")
    s.sql("""INSERT INTO x VALUES ('eeccb8c5-9943-b2bb-bb5e-222f4e14b687', '{"a": [1]}', 'a')""")
    assert s.query("SELECT j->>'$.a[0]' AS one FROM x").to_pylist() == [{"one": "1"}]
    for cell in ("('no uuid', NULL, NULL)", "(NULL, '{', NULL)", "(NULL, NULL, 'c')"):
        with pytest.raises(BindError):
            s.sql(f"INSERT INTO x VALUES {cell}")
