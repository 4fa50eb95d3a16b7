"""Parameters that change under a running job, and queries that wait, over every form of session."""

from __future__ import annotations

import datetime as dt
import json
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from velostream_nb.core.errors import BindError, JobError, JobExistsError, UnknownJobError, VeloError
from velostream_nb.core.model import PLAN_METADATA, JobState, SessionLike

TRADES = "CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP)"
START = dt.datetime(2026, 1, 1)


def feed(s: SessionLike, *rows: tuple[str, int, int]) -> None:
    """(symbol, qty, second) each; processed on return."""
    s.produce("trades", [{"symbol": k, "qty": q, "timestamp": START + dt.timedelta(seconds=at)} for k, q, at in rows])
    s.drain()


def rows(s: SessionLike, topic: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in s.read(topic).to_pylist()]


# -- ALTER JOB ----------------------------------------------------------------------------------------------------------


def test_a_new_value_counts_from_the_next_row_on(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB big AS SELECT symbol, qty FROM trades WHERE qty >= $least", params={"least": 20})
    feed(s, ("A", 10, 0), ("A", 30, 1))
    assert s.job_info("big").params == {"least": "20"}
    (done,) = s.sql("ALTER JOB big SET least = 5 + 5")
    assert (done.kind, done.job, done.message) == ("job", "big", "job big: least = 10 (was 20)")
    assert s.job_info("big").params == {"least": "10"}
    feed(s, ("A", 10, 2), ("A", 5, 3))
    assert rows(s, "big") == [("A", 30), ("A", 10)]
    assert s.job_info("big").rows_in == 4  # the counts go on
    described = {p["property"]: p["value"] for p in s.query("DESCRIBE big").to_pylist()}
    assert described["parameter least"] == "10"


@pytest.mark.parametrize(
    ("select", "params", "change", "wanted"),
    [
        (  # rows in frames stay
            "SELECT qty, sum(qty) OVER (PARTITION BY symbol ORDER BY timestamp ROWS 1 PRECEDING) * $f AS x FROM trades",
            {"f": 1},
            "f = 10",
            [(1, 1), (2, 3), (3, 50), (4, 70)],
        ),
        (  # a running sum goes on
            "SELECT qty, sum(qty * $f) OVER (PARTITION BY symbol ORDER BY timestamp) AS x FROM trades",
            {"f": 1},
            "f = 10",
            [(1, 1), (2, 3), (3, 33), (4, 73)],
        ),
        (  # an open window keeps what it has
            """SELECT window_end, count(*) FILTER (WHERE qty > $low) AS x FROM trades
               GROUP BY TUMBLE(timestamp, INTERVAL '10' SECOND)""",
            {"low": 1},
            "low = 3",
            [(START + dt.timedelta(seconds=10), 2)],
        ),
        (  # so does a group
            "SELECT symbol, sum(qty) FILTER (WHERE qty > $low) AS x FROM trades GROUP BY symbol",
            {"low": 0},
            "low = 3",
            [("A", 7)],
        ),
        (
            "SELECT a.qty, b.qty AS x FROM trades a JOIN trades b ON a.symbol = b.symbol AND b.qty = a.qty + $d "
            "AND b.timestamp BETWEEN a.timestamp - INTERVAL '5' SECOND AND a.timestamp + INTERVAL '5' SECOND",
            {"d": 1},
            "d = 2",
            [(1, 2), (1, 3), (2, 4)],
        ),
        ("SELECT qty, qty AS x FROM trades WHERE symbol = $s", {"s": "A"}, "s = 'B'", [(1, 1), (2, 2)]),
        (
            "SELECT qty, timestamp + $t AS x FROM trades WHERE qty IN (1, 4)",
            {"t": dt.timedelta(seconds=5)},
            "t = 1m",
            [(1, START + dt.timedelta(seconds=5)), (4, START + dt.timedelta(seconds=63))],
        ),
    ],
)
def test_no_state_is_lost(
    s: SessionLike, select: str, params: dict[str, object], change: str, wanted: list[tuple[object, ...]]
) -> None:
    s.sql(TRADES)
    s.sql(f"START JOB j AS {select}", params=params)
    # the last second is told so that nothing waits in order of time when the value changes
    feed(s, ("A", 1, 0), ("A", 2, 1), ("Z", 0, 2))
    s.sql(f"ALTER JOB j SET {change}")
    feed(s, ("A", 3, 2), ("A", 4, 3))
    s.drain(final=True)
    assert sorted(r for r in rows(s, "j") if r[0] not in ("Z", 0)) == sorted(wanted)


@pytest.mark.parametrize(
    ("select", "params", "change", "says"),
    [
        (
            "SELECT count(*) AS n FROM trades GROUP BY TUMBLE(timestamp, $t)",
            {"t": 10},
            "t = INTERVAL 5 SECOND",
            "a window",
        ),
        ("SELECT symbol, sum(qty) AS n FROM trades GROUP BY symbol HAVING sum(qty) > $n", {"n": 1}, "n = 2", "shown"),
        (
            "SELECT window_end, quantile_cont(qty, $q) AS n FROM trades GROUP BY TUMBLE(timestamp, 10s)",
            {"q": 0.5},
            "q = 0.9",
            "an aggregate",
        ),
        (
            "SELECT sum(qty) OVER (ORDER BY timestamp ROWS BETWEEN $n PRECEDING AND CURRENT ROW) AS x FROM trades",
            {"n": 2},
            "n = 3",
            "a frame",
        ),
        ("SELECT qty // $n AS g, count(*) AS x FROM trades GROUP BY qty // $n", {"n": 2}, "n = 3", "grouped by"),
        (
            "SELECT * FROM trades QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY qty DESC) <= $n",
            {"n": 2},
            "n = 3",
            "",
        ),
        ("SELECT * FROM trades ORDER BY qty LIMIT $n", {"n": 2}, "n = 3", ""),
    ],
)
def test_a_value_that_the_state_depends_on_is_refused(
    s: SessionLike, select: str, params: dict[str, object], change: str, says: str
) -> None:
    s.sql(TRADES)
    given = {name: dt.timedelta(seconds=10) if name == "t" else value for name, value in params.items()}
    s.sql(f"START JOB j AS {select}", params=given)
    feed(s, ("A", 1, 0))
    before = s.job_info("j").params
    with pytest.raises(JobError, match="cannot change while job j runs") as caught:
        s.sql(f"ALTER JOB j SET {change}")
    assert says in caught.value.message
    assert "START OR REPLACE JOB j" in (caught.value.hint or "")
    feed(s, ("A", 2, 1))
    assert (s.job_info("j").state, s.job_info("j").params) == (JobState.RUNNING, before)


def test_values_that_are_none(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB j AS SELECT qty FROM trades WHERE qty > $low AND symbol <> $not", low=1.5, **{"not": "Z"})
    s.sql("START JOB plain AS SELECT qty FROM trades")
    for text, kind, says in (
        ("ALTER JOB j SET lo = 5", BindError, "did you mean low?"),
        ("ALTER JOB j SET low = 'x'", BindError, "another kind"),
        ("ALTER JOB j SET low = TRUE", BindError, "another kind"),
        ("ALTER JOB j SET low = qty", BindError, "'qty' is a column"),
        ("ALTER JOB j SET low = upperr('x')", BindError, "unknown function"),
        ("ALTER JOB j SET low = [1]", BindError, "has no SQL literal"),
        ("ALTER JOB plain SET low = 5", JobError, "has no parameters"),
        ("ALTER JOB jj SET low = 5", UnknownJobError, "did you mean j?"),
    ):
        with pytest.raises(kind) as caught:
            s.sql(text)
        assert says in str(caught.value)
    s.sql("ALTER JOB j SET low = 2, $not = upper('q')")
    assert s.job_info("j").params == {"low": "2.0e0", "not": "'Q'"}


def test_a_job_that_rests_takes_its_new_values_along(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB j AS SELECT qty FROM trades WHERE qty > $low", low=np.int64(5))
    feed(s, ("A", 3, 0), ("A", 7, 1))
    s.sql("PAUSE JOB j; ALTER JOB j SET low = 2; RESUME JOB j")
    feed(s, ("A", 3, 2))
    assert rows(s, "j") == [(7,), (3,)]
    s.sql("STOP JOB j; ALTER JOB j SET low = 6; RESTART JOB j")
    s.drain()
    assert rows(s, "j")[2:] == [(7,)]


def test_a_parameter_without_a_value_is_named(s: SessionLike) -> None:
    s.sql(TRADES)
    with pytest.raises(BindError, match="no value was given for \\$low") as caught:
        s.sql("START JOB j AS SELECT qty FROM trades WHERE qty > $low", params={"lov": 1})
    assert (caught.value.hint, caught.value.place and caught.value.place.column) == ("did you mean lov?", 51)
    assert s.query("SELECT $a + $b AS x", params={"a": 1, "b": 2}).to_pylist() == [{"x": 3}]


# -- names of jobs ------------------------------------------------------------------------------------------------------


def test_several_inserts_into_one_topic_are_jobs_of_their_own(s: SessionLike) -> None:
    s.sql(f"{TRADES}; CREATE STREAM all_of (qty BIGINT, what VARCHAR)")
    one = "INSERT INTO all_of SELECT qty, 'small' AS what FROM trades WHERE qty < 10"
    s.sql(f"{one}; INSERT INTO all_of SELECT qty, 'big' AS what FROM trades WHERE qty >= 10")
    s.sql("INSERT INTO all_of SELECT qty FROM trades WHERE qty = 5")
    assert [j.name for j in s.jobs()] == ["insert_into_all_of", "insert_into_all_of_2", "insert_into_all_of_3"]
    with pytest.raises(JobExistsError, match="insert_into_all_of runs this INSERT already"):
        s.sql(one)
    feed(s, ("A", 5, 0), ("A", 50, 1))
    assert sorted(rows(s, "all_of"), key=str) == [(5, "small"), (5, None), (50, "big")]
    s.sql("STOP JOB insert_into_all_of")
    s.sql(one)
    assert s.job_info("insert_into_all_of").state is JobState.RUNNING


@pytest.mark.parametrize(
    ("select", "says", "hint"),
    [
        ("qty AS qyt, symbol", "no column 'qyt'", "did you mean qty?"),
        ("qty AS QTY, symbol", "no column 'QTY'", "QTY AS qty"),
        ("qty::INTEGER AS qty", "symbol (NOT NULL)", "AS symbol"),
        ("symbol, symbol AS qty", "has qty INTEGER, and job insert_into_target writes VARCHAR", "CAST(qty AS INTEGER)"),
        ("symbol, qty", "has qty INTEGER, and job insert_into_target writes BIGINT", "CAST(qty AS INTEGER)"),
        ("symbol, count(*)::INTEGER AS qty FROM trades GROUP BY symbol --", "a stream", "PRIMARY KEY (symbol)"),
    ],
)
def test_an_insert_must_fit_what_its_target_is_declared_to_be(
    s: SessionLike, select: str, says: str, hint: str
) -> None:
    s.sql(f"{TRADES}; CREATE STREAM target (symbol VARCHAR NOT NULL, qty INTEGER)")
    with pytest.raises(BindError) as caught:
        s.sql(f"INSERT INTO target SELECT {select} FROM trades")
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")
    assert s.jobs() == []


def test_a_changelog_goes_into_a_table_of_its_key(s: SessionLike) -> None:
    s.sql(f"{TRADES}; CREATE TABLE totals (symbol VARCHAR, n BIGINT, note VARCHAR, PRIMARY KEY (symbol))")
    s.sql("INSERT INTO totals SELECT symbol, count(*) AS n FROM trades GROUP BY symbol")
    with pytest.raises(BindError, match=r"one row per \(n\), and table totals has one row per \(symbol\)"):
        s.sql(
            "INSERT INTO totals SELECT qty::VARCHAR AS note, any_value(symbol) AS symbol, qty AS n FROM trades GROUP BY qty"
        )
    feed(s, ("A", 5, 0), ("B", 5, 0), ("A", 50, 1))
    assert sorted(rows(s, "totals")) == [("A", 2, None), ("B", 1, None)]


def test_a_topic_that_nobody_declared_keeps_its_columns(s: SessionLike) -> None:
    s.sql(TRADES)
    s.produce("loose", [{"symbol": "A", "qty": 1}])
    s.read("loose")
    with pytest.raises(BindError, match="no column 'qnt'"):
        s.sql("INSERT INTO loose SELECT symbol, qty AS qnt FROM trades")
    s.sql("INSERT INTO loose SELECT symbol, qty FROM trades")
    feed(s, ("B", 2, 0))
    assert rows(s, "loose") == [("A", 1), ("B", 2)]


def test_start_or_replace(s: SessionLike) -> None:
    s.sql(TRADES)
    feed(s, ("A", 5, 0), ("A", 50, 1))
    s.sql("START OR REPLACE JOB j AS SELECT qty FROM trades WHERE qty > 10")
    s.drain()
    s.sql("START OR REPLACE JOB j AS SELECT qty FROM trades WHERE qty < 10")
    s.drain()
    assert rows(s, "j") == [(5,)]
    with pytest.raises(JobExistsError) as caught:
        s.sql("START JOB j AS SELECT qty FROM trades")
    assert "START OR REPLACE JOB j" in (caught.value.hint or "")


# -- queries that wait --------------------------------------------------------------------------------------------------


def test_a_query_that_waits_gives_what_has_come_in_time(s: SessionLike) -> None:
    s.sql(TRADES)
    feed(s, ("A", 1, 0), ("A", 2, 1))
    text = "SELECT qty FROM trades EMIT CHANGES LIMIT 3"
    began = time.monotonic()
    assert s.query(text, timeout=0.3).to_pylist() == [{"qty": 1}, {"qty": 2}]
    (result,) = s.sql("SELECT qty FROM trades WHERE qty > $n EMIT CHANGES LIMIT 3", params={"n": 9}, timeout=0.2)
    assert result.message == "0 rows of 3: no more came in 0.2 s"
    assert result.table is not None
    assert result.table.column_names == ["qty"]
    assert time.monotonic() - began < 20
    assert s.jobs() == []


def test_an_interrupt_ends_a_query_that_waits(s: SessionLike) -> None:
    s.sql(TRADES)
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by what a shell runs in the background
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            s.query("SELECT qty FROM trades EMIT CHANGES LIMIT 1")
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    wait_until(lambda: not s.jobs())


def wait_until(there: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)


# -- EXPLAIN ------------------------------------------------------------------------------------------------------------

TOTALS = "SELECT symbol, sum(qty) AS total FROM trades WHERE qty > $low GROUP BY symbol"


def test_explain_tells_state_mode_time_and_assumptions(s: SessionLike) -> None:
    s.sql(TRADES.replace("TIMESTAMP)", "TIMESTAMP) WITH ('watermark.delay' = '2s')"))
    lines = s.query(f"EXPLAIN {TOTALS}", params={"low": 5})["plan"].to_pylist()
    text = "\n".join(lines)
    assert "read trades" in lines[0]
    assert "append" in lines[1]
    for said in (
        "group by symbol",
        "changelog, one row per (symbol); keeps one aggregate state per group (grows with its groups; 'state.ttl'",
        "output: changelog, upserts by (symbol); symbol VARCHAR, total BIGINT",
        "watermark: of trades: the newest timestamp of each partition less 2 s",
        "note: GROUP BY without a window keeps every group for ever",
    ):
        assert said in text
    assert "rows in" not in text


def test_explain_of_a_running_job_is_live(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql(f"START JOB totals AS {TOTALS}", low=5)
    feed(s, ("A", 10, 0), ("B", 20, 1), ("A", 1, 2), ("A", 30, 3))
    text = "\n".join(s.query("EXPLAIN JOB totals")["plan"].to_pylist())
    assert "now 2 rows" in text
    assert "4 rows in, 3 out" in text
    plan = json.loads(s.query("EXPLAIN (FORMAT json) JOB totals")["plan"][0].as_py())
    assert plan["job"] == "totals"
    assert plan["output"] == {"mode": "upsert", "key": ["symbol"], "columns": {"symbol": "VARCHAR", "total": "BIGINT"}}
    group = next(step for step in plan["steps"] if step["operator"] == "group by")
    assert group["live"]["state_rows"] == 2
    assert group["live"]["rows_in"] == 3
    assert group["mode"] == "changelog"
    assert plan["watermark_us"] == int((START + dt.timedelta(seconds=3)).replace(tzinfo=dt.UTC).timestamp()) * 1_000_000
    analyzed = s.query("EXPLAIN ANALYZE JOB totals")
    assert [step["rows_in"] for step in analyzed.to_pylist()][:2] == [4, 4]
    assert json.loads((analyzed.schema.metadata or {})[PLAN_METADATA])["job"] == "totals"


def test_explain_analyze_needs_a_job_that_runs(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB j AS SELECT qty FROM trades; STOP JOB j")
    with pytest.raises(VeloError, match="job j is stopped"):
        s.query("EXPLAIN ANALYZE JOB j")
    with pytest.raises(VeloError, match="only a running job"):
        s.query("EXPLAIN ANALYZE SELECT qty FROM trades")
    assert "read trades" in s.query("EXPLAIN JOB j")["plan"][0].as_py()


def test_the_wall_clock_is_one_value_a_tick(s: SessionLike) -> None:
    s.sql(TRADES)
    s.sql("START JOB j AS SELECT qty, wall_clock() AS at FROM trades WHERE wall_clock() > timestamp")
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    feed(s, ("A", 1, 0), ("A", 2, 1))
    stamps = {at for _, at in rows(s, "j")}
    assert len(rows(s, "j")) == 2
    assert all(isinstance(at, dt.datetime) and abs((at - before).total_seconds()) < 60 for at in stamps)
    assert any("wall_clock() is the wall's time" in note for note in s.job_info("j").notes)
    (row,) = s.query("SELECT wall_clock() AS w, timestamp() AS t").to_pylist()
    assert row["w"] == row["t"]
