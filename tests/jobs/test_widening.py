"""A field that turns from whole numbers to fractions: no job dies, no row is lost, the answer is that of a wide column."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest

from tests.driven import DrivenSession, driven
from tests.engine.harness import comparable
from velostream_nb.brokers.contract import Retention
from velostream_nb.core.model import JobState
from velostream_nb.core.types import column_types
from velostream_nb.jobs.batch import run_files


@pytest.fixture
def session():
    with driven() as found:
        yield found


def run(session: DrivenSession) -> None:
    while session.tick():
        pass


def feed(session: DrivenSession, *values: object, topic: str = "t", first: int = 0) -> None:
    rows = [{"k": "ab"[n % 2], "x": x, "timestamp": 1_000 * (n + first)} for n, x in enumerate(values)]
    session.produce(topic, rows)
    run(session)


def columns(session: DrivenSession, topic: str) -> dict[str, str]:
    schema = session.broker.schema(topic)
    assert schema is not None
    return column_types(schema.columns)


QUERIES = {
    "project": ("SELECT k, x + 1 AS v FROM t", None),
    "filter": ("SELECT k, x AS v FROM t WHERE x > 1", None),
    "group": ("SELECT k, SUM(x) AS v, MIN(x) AS m FROM t GROUP BY k", None),
    "running": (
        "SELECT SUM(x) OVER (PARTITION BY k ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS v FROM t",
        "SELECT SUM(x) OVER (PARTITION BY k ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS v FROM t",
    ),
    "lag": ("SELECT x - LAG(x, 2) OVER (ORDER BY timestamp) AS v FROM t", None),
    "window": (
        "SELECT k, AVG(x) AS v, window_end FROM t GROUP BY k, TUMBLE(timestamp, INTERVAL 5 SECOND)",
        "SELECT k, AVG(x) AS v, make_timestamp((epoch_us(timestamp) // 5000000 + 1) * 5000000) AS window_end "
        "FROM t GROUP BY ALL",
    ),
    "join": (
        "SELECT a.x, b.x AS v FROM t a JOIN t b ON a.k = b.k "
        "AND b.timestamp BETWEEN a.timestamp - INTERVAL 3 SECOND AND a.timestamp",
        None,
    ),
    "latest": ("SELECT k, x AS v FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp DESC) = 1", None),
}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("name", QUERIES)
def test_the_answer_is_that_of_a_column_which_was_wide_from_the_beginning(name, raw, session):
    query, oracle = QUERIES[name]
    rng = random.Random(name)
    values = [rng.randrange(10) for _ in range(20)] + [0.5] + [rng.choice([1, 2.25, None]) for _ in range(20)]
    rows = [{"k": rng.choice("ab"), "x": x, "timestamp": 1_000 * n} for n, x in enumerate(values)]
    session.produce("t", rows[:3])
    session.sql(f"START JOB j AS {query}")
    at = 3
    while at < len(rows):
        size = rng.choice([1, 2, 5])
        lines = [str(r).replace("'", '"').replace("None", "null").encode() for r in rows[at : at + size]]
        session.produce("t", lines if raw else rows[at : at + size])
        run(session)
        at += size
    session.driver.drain(final=True)
    info = session.job_info("j")
    assert (info.state, info.failed, info.rows_in) == (JobState.FINISHED, 0, len(rows))
    assert columns(session, "t")["x"] == "DOUBLE"
    assert "t was widened: x DOUBLE" in info.notes
    table = pa.table({n: [r[n] for r in rows] for n in ("k", "x")})
    times = pa.array([r["timestamp"] * 1_000 for r in rows], pa.timestamp("us"))
    with duckdb.connect() as con:
        con.register("t", table.append_column("timestamp", times))
        expected = con.sql(oracle or query).to_arrow_table().to_pylist()
    assert comparable(session.read("j").to_pylist()) == comparable(expected)


def test_jobs_that_do_not_read_the_field_hear_nothing_of_it(session):
    feed(session, 1)
    session.sql("START JOB names AS SELECT k FROM t; START JOB sums AS SELECT SUM(x) AS s FROM t")
    feed(session, 0.5, first=1)
    assert session.job_info("names").notes == ()
    assert session.read("names").num_rows == 2
    assert session.read("sums").to_pylist() == [{"s": 1.5}]


def test_those_that_read_what_such_a_job_writes_follow(session):
    feed(session, 1, 2)
    session.sql("START JOB doubled AS SELECT k, x * 2 AS y FROM t; START JOB sums AS SELECT SUM(y) AS s FROM doubled")
    feed(session, 3)
    assert columns(session, "doubled") == {"k": "VARCHAR", "y": "BIGINT"}
    feed(session, 0.25, first=1)
    assert columns(session, "doubled") == {"k": "VARCHAR", "y": "DOUBLE"}
    assert columns(session, "sums") == {"s": "DOUBLE"}
    assert session.read("sums").to_pylist() == [{"s": 12.5}]
    assert [j.failed for j in session.jobs()] == [0, 0]


def test_what_does_not_change_is_not_written_again(session):
    feed(session, 1, 2)
    session.sql("START JOB sums AS SELECT k, SUM(x) AS s FROM t GROUP BY k")
    run(session)
    feed(session, 0.5, first=2)  # of key a
    changes = session.read("sums", changelog=True).to_pylist()
    assert [(c["k"], c["s"]) for c in changes] == [("a", 1.0), ("b", 2.0), ("a", 1.5)]


def test_numbers_beyond_bigint_make_it_hugeint(session):
    feed(session, 1)
    session.sql("START JOB j AS SELECT x FROM t")
    feed(session, 2**70)
    assert session.read("j").column("x").to_pylist() == [1, 2**70]
    assert columns(session, "t")["x"] == "DECIMAL(38,0)"


def test_a_field_inside_a_list_of_structs(session):
    session.produce("t", [b'{"legs":[{"n":1,"p":1}],"timestamp":0}'])
    session.sql("START JOB j AS SELECT legs[1].p AS p FROM t")
    session.produce("t", [b'{"legs":[{"n":1,"p":0.5}],"timestamp":1}'])
    run(session)
    assert session.read("j").column("p").to_pylist() == [1.0, 0.5]
    assert columns(session, "t")["legs"] == "STRUCT(n BIGINT, p DOUBLE)[]"


def test_a_conflict_is_one_records_and_a_new_field_is_ignored(session):
    feed(session, 1)
    session.sql("START JOB j AS SELECT x FROM t")
    session.produce(
        "t", [{"k": "a", "x": "many", "timestamp": 1}, {"k": "a", "x": 2, "timestamp": 2, "new": 1}, {"timestamp": 3}]
    )
    run(session)
    assert session.read("j").column("x").to_pylist() == [1, 2, None]
    (letter,) = session.read("j.dlq").to_pylist()
    assert letter["reason"] == "expected a whole number at x, got 'many'"
    assert columns(session, "t") == {"k": "VARCHAR", "x": "BIGINT", "timestamp": "TIMESTAMP"}


def test_a_declared_column_never_widens(session):
    session.sql("CREATE STREAM t (k VARCHAR, x BIGINT, timestamp TIMESTAMP); START JOB j AS SELECT x FROM t")
    feed(session, 1, 0.5)
    assert session.read("j").column("x").to_pylist() == [1]
    assert session.job_info("j").failed == 1


def test_a_job_whose_records_are_gone_goes_on_without_those_that_do_not_fit(session):
    session.broker.create_topic("t", retention=Retention(rows=4, bytes=None))
    feed(session, 1)
    session.sql("START JOB j AS SELECT SUM(x) AS s FROM t")
    for n in range(1, 10):
        feed(session, n, first=n)
    feed(session, 0.5, 100, first=10)
    info = session.job_info("j")
    assert (info.state, info.failed) == (JobState.RUNNING, 1)
    assert session.read("j").to_pylist() == [{"s": 146}]
    assert any("cannot become wider" in note for note in info.notes)


def test_a_job_that_was_paused_or_restarted_follows_as_well(session):
    feed(session, 1)
    session.sql("START JOB j AS SELECT SUM(x) AS s FROM t")
    run(session)
    session.control("j", "pause")
    feed(session, 0.5, first=1)
    session.control("j", "resume")
    run(session)
    assert session.read("j").to_pylist() == [{"s": 1.5}]
    session.control("j", "restart")
    run(session)
    assert session.read("j").to_pylist() == [{"s": 1.5}]
    assert session.job_info("j").failed == 0


def test_two_topics_widen_at_once(session):
    feed(session, 1, topic="t")
    feed(session, 1, topic="u")
    session.sql("START JOB j AS SELECT a.x, b.x AS y FROM t a JOIN u b ON a.k = b.k AND a.timestamp = b.timestamp")
    session.produce("t", [{"k": "a", "x": 0.5, "timestamp": 5}])
    session.produce("u", [{"k": "a", "x": 0.25, "timestamp": 5}])
    session.driver.drain(final=True)
    assert session.read("j").to_pylist() == [{"x": 1.0, "y": 1.0}, {"x": 0.5, "y": 0.25}]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_run_over_files_begins_anew_so_that_its_files_have_columns_of_one_type(kind, tmp_path):
    source = tmp_path / "t.jsonl"
    lines = [f'{{"k":"a","x":{n if n < 1_500 else n + 0.5},"timestamp":{n}}}' for n in range(2_000)]
    source.write_text("\n".join(lines) + "\n")
    sink = tmp_path / f"tripled.{kind}"
    summary = run_files(
        "START JOB tripled AS SELECT x * 3 AS y FROM t; START JOB most AS SELECT MAX(y) AS m FROM tripled",
        {"t": source},
        {"tripled": sink},
        batch_rows=700,
    )
    assert summary.ok
    assert [(job.rows_in, job.failed) for job in summary.jobs] == [(2_000, 0)] * 2
    with duckdb.connect() as con:
        found = con.sql(f"SELECT count(*), sum(y), typeof(any_value(y)) FROM '{sink}'").fetchall()
    assert found == [(2_000, sum(3 * n for n in range(2_000)) + 750, "DOUBLE")]
