"""What every session promises, whatever its form. See `core.model.SessionLike`."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest

import velostream_nb as velo
from velostream_nb.core.errors import (
    BindError,
    ConfigError,
    JobError,
    JobExistsError,
    JobFailedError,
    ParseError,
    SchemaError,
    UnknownJobError,
    UnknownTopicError,
    UnsupportedError,
)
from velostream_nb.core.model import JobState, SessionLike

START_MS = 1_767_623_400_000


def trades(count: int, first: int = 0) -> list[dict[str, object]]:
    return [
        {"symbol": "AB"[i % 2], "price": 100.0 + i, "volume": i, "timestamp": START_MS + i * 1_000}
        for i in range(first, first + count)
    ]


DEAR = "START JOB dear AS SELECT symbol, price FROM trades WHERE price >= 150"
TOTALS = """START JOB totals AS SELECT symbol, price,
            SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp) AS total FROM trades"""
WINDOWS = """START JOB windows AS SELECT symbol, window_end, COUNT(*) AS n, SUM(volume) AS volume
             FROM trades GROUP BY symbol, TUMBLE(timestamp, INTERVAL '10' SECOND)"""


def rows(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in table.to_pylist())


# -- records ------------------------------------------------------------------------------------------------------------


def arrow(records: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(records)


@pytest.mark.parametrize("shape", [list, pd.DataFrame, arrow, lambda r: arrow(r).to_batches()[0]])
def test_every_kind_of_rows_gives_the_same_answer(s: SessionLike, shape: Callable[..., object]) -> None:
    assert s.produce("trades", shape(trades(100))) == 100
    s.sql(DEAR)
    s.sql(WINDOWS)
    s.drain(final=True)
    assert rows(s.read("dear")) == [("AB"[i % 2], 100.0 + i) for i in sorted(range(50, 100), key=lambda i: (i % 2, i))]
    assert sum(row["n"] for row in s.read("windows").to_pylist()) == 100


def test_raw_records_are_decoded_by_the_jobs_that_read_them(s: SessionLike) -> None:
    s.produce("trades", [b'{"symbol":"A","price":200,"timestamp":1767623400000}', b'{"symbol":"B","price":1}'])
    s.sql(DEAR)
    s.drain()
    assert rows(s.read("dear")) == [("A", 200)]


@pytest.mark.parametrize("wrong", [[1, 2], "text", 7, [{"a": 1}, b"x"], None])
def test_rows_of_no_known_kind_are_refused(s: SessionLike, wrong: object) -> None:
    with pytest.raises(SchemaError, match="cannot make records") as caught:
        s.produce("trades", wrong)
    assert "list of dicts" in (caught.value.hint or "")
    assert [t.name for t in s.topics()] == []


def test_reserved_column_names_and_deletes_are_refused(s: SessionLike) -> None:
    with pytest.raises(SchemaError, match="reserved"):
        s.produce("trades", [{"__ts": 1}])
    with pytest.raises(SchemaError, match="reserved"):
        s.produce("trades", pa.table({"__pos": [1]}))
    with pytest.raises(UnsupportedError, match="no table with a primary key") as caught:
        s.produce("trades", [{"a": 1}], op="delete")
    assert "PRIMARY KEY" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="op must be"):
        s.produce("trades", [{"a": 1}], op="insert")


def test_nothing_produced_makes_a_topic_of_no_rows(s: SessionLike) -> None:
    assert s.produce("trades", []) == 0
    assert [(t.name, t.rows) for t in s.topics()] == [("trades", 0)]
    with pytest.raises(BindError, match="no records yet"):
        s.sql(DEAR)


def test_reading_an_unknown_topic_names_near_ones(s: SessionLike) -> None:
    s.produce("trades", trades(1))
    with pytest.raises(UnknownTopicError) as caught:
        s.read("trade")
    assert "trades" in (caught.value.hint or "")


def test_a_stream_reads_the_topic_it_names(s: SessionLike) -> None:
    s.sql("CREATE STREAM t (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP) WITH ('topic' = 'trades')")
    s.produce("t", trades(60))
    s.sql("START JOB dear AS SELECT symbol, price FROM t WHERE price >= 150")
    s.drain()
    assert s.read("trades").num_rows == s.read("t").num_rows == 60
    assert s.read("dear").num_rows == 10


# -- draining -----------------------------------------------------------------------------------------------------------


def test_drain_waits_through_chains_of_jobs(s: SessionLike) -> None:
    s.produce("trades", trades(100))
    s.sql(DEAR)
    s.sql("START JOB dearer AS SELECT symbol, price FROM dear WHERE price >= 180")
    s.sql("START JOB dearest AS SELECT symbol, price * 10 AS price FROM dearer WHERE price >= 190")
    s.drain()
    assert [s.read(t).num_rows for t in ("dear", "dearer", "dearest")] == [50, 20, 10]
    s.produce("trades", [{"symbol": "A", "price": 999.0, "timestamp": START_MS + 200_000}])
    s.drain()
    assert s.read("dearest").to_pylist()[-1] == {"symbol": "A", "price": 9990.0}


def test_final_closes_the_windows_and_finishes_the_jobs(s: SessionLike) -> None:
    s.produce("trades", trades(25))
    s.sql(WINDOWS)
    s.sql("START JOB many AS SELECT symbol, n FROM windows WHERE n >= 3")
    s.drain()
    assert s.read("windows").num_rows == 4  # two symbols in each of the two windows that the watermark has passed
    s.drain(final=True)
    assert s.read("windows").num_rows == 6
    assert rows(s.read("many"))[:2] == [("A", 3), ("A", 5)]
    infos = {info.name: info for info in s.jobs()}
    assert {info.state for info in infos.values()} == {JobState.FINISHED}
    assert infos["many"].rows_in == infos["windows"].rows_out == 6
    assert infos["windows"].watermark_us is None
    assert infos["windows"].lag_rows == 0


def test_drain_without_jobs_returns(s: SessionLike) -> None:
    s.produce("trades", trades(3))
    s.drain(timeout=10)


# -- the life of a job --------------------------------------------------------------------------------------------------


def test_a_running_name_is_taken_and_a_finished_one_is_free(s: SessionLike) -> None:
    s.produce("trades", trades(60))
    s.sql(DEAR)
    with pytest.raises(JobExistsError, match="dear is running already") as caught:
        s.sql(DEAR)
    assert "STOP JOB dear" in (caught.value.hint or "")
    s.sql("CREATE OR REPLACE STREAM dear AS SELECT symbol FROM trades")
    s.drain()
    assert s.job_info("dear").rows_out == 60
    s.sql("STOP JOB dear")
    s.sql(DEAR)
    s.drain()
    assert s.job_info("dear").rows_out == 10
    assert [info.name for info in s.jobs()] == ["dear"]


def test_a_replacement_that_does_not_compile_leaves_the_job_running(s: SessionLike) -> None:
    s.produce("trades", trades(60))
    s.sql(DEAR)
    with pytest.raises(BindError):
        s.sql("CREATE OR REPLACE STREAM dear AS SELECT nonsense FROM trades")
    s.produce("trades", trades(10, first=60))
    s.drain()
    assert s.job_info("dear").rows_out == 20


def test_pause_and_resume_do_not_change_the_answer(s: SessionLike) -> None:
    s.produce("trades", trades(40))
    s.sql(TOTALS)
    s.drain()
    assert s.control("totals", "pause").state is JobState.PAUSED
    s.produce("trades", trades(40, first=40))
    s.drain()  # does not wait for paused jobs
    assert (s.job_info("totals").rows_in, s.job_info("totals").lag_rows) == (40, 40)
    assert s.control("totals", "resume").state is JobState.RUNNING
    s.drain(final=True)
    totals = {"A": 0, "B": 0}
    expected = []
    for row in trades(80):
        totals[str(row["symbol"])] += int(str(row["volume"]))
        expected.append((row["symbol"], row["price"], totals[str(row["symbol"])]))
    assert rows(s.read("totals")) == sorted(expected)


def test_restart_begins_anew(s: SessionLike) -> None:
    s.produce("trades", trades(60))
    s.sql(DEAR)
    s.drain()
    info = s.control("dear", "restart")
    assert (info.state, info.rows_in + info.lag_rows) == (JobState.RUNNING, 60)
    s.drain()
    assert s.job_info("dear").rows_out == 10
    assert s.read("dear").num_rows == 20  # a topic keeps what it was given


def test_a_job_may_start_at_the_end_of_its_input(s: SessionLike) -> None:
    s.produce("trades", trades(60))
    s.sql(DEAR + " WITH ('auto.offset.reset' = 'latest', 'output.topic' = 'news')")
    s.produce("trades", trades(5, first=60))
    s.drain()
    assert s.read("news").num_rows == 5


def test_a_late_job_gives_what_an_early_one_gives(s: SessionLike) -> None:
    s.produce("trades", trades(10))
    s.sql(TOTALS)
    for first in range(10, 300, 10):
        s.produce("trades", trades(10, first=first))
        if first == 150:
            s.sql(TOTALS.replace("JOB totals", "JOB latecomer"))
    s.drain(final=True)
    assert s.job_info("totals").rows_in == s.job_info("latecomer").rows_in == 300
    assert rows(s.read("latecomer")) == rows(s.read("totals"))


def test_stopped_and_dropped_jobs(s: SessionLike) -> None:
    s.produce("trades", trades(60))
    s.sql(DEAR)
    s.drain()
    assert s.control("dear", "stop").state is JobState.STOPPED
    assert s.control("dear", "stop").state is JobState.STOPPED
    s.produce("trades", trades(60))
    s.drain()
    assert s.job_info("dear").rows_in == 60
    with pytest.raises(JobError, match="cannot resume job dear: it is stopped"):
        s.control("dear", "resume")
    s.sql("DROP JOB dear")
    assert s.jobs() == []
    assert s.read("dear").num_rows == 10


def test_unknown_jobs_and_actions_name_near_ones(s: SessionLike) -> None:
    s.produce("trades", trades(1))
    s.sql(DEAR)
    with pytest.raises(UnknownJobError) as unknown:
        s.job_info("deer")
    assert "dear" in (unknown.value.hint or "")
    with pytest.raises(ConfigError) as action:
        s.control("dear", "stopp")
    assert "stop" in (action.value.hint or "")


def test_a_job_cannot_read_its_own_output_even_through_others(s: SessionLike) -> None:
    s.produce("trades", trades(1))
    with pytest.raises(JobError, match="its own output"):
        s.sql("INSERT INTO trades SELECT * FROM trades")
    s.sql("START JOB a AS SELECT symbol, price FROM trades")
    s.sql("START JOB b AS SELECT symbol, price FROM a")
    with pytest.raises(JobError, match="its own output"):
        s.sql("INSERT INTO a SELECT symbol, price FROM b")
    assert [info.name for info in s.jobs()] == ["a", "b"]


# -- what goes wrong ----------------------------------------------------------------------------------------------------


def test_malformed_records_go_to_the_dead_letters_and_the_rest_goes_on(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP NOT NULL)")
    s.sql(DEAR)
    s.sql("START JOB volumes AS SELECT symbol, volume FROM trades")
    assert s.read("dear.dlq").num_rows == 0
    good = b'{"symbol":"A","price":200,"volume":1,"timestamp":1767623400000}'
    s.produce("trades", [good, b"{nonsense", b'{"symbol":"A","price":"dear","volume":2,"timestamp":1767623401000}'])
    s.produce("trades", [b'{"symbol":"B","price":300,"volume":3}', good])
    s.drain()
    assert rows(s.read("dear")) == [("A", 200.0), ("A", 200.0)]
    letters = s.read("dear.dlq").to_pylist()
    assert [(d["topic"], d["partition"], d["offset"], d["path"]) for d in letters] == [
        ("trades", 0, 1, ""),
        ("trades", 0, 2, "price"),
        ("trades", 0, 3, "timestamp"),
    ]
    assert letters[0]["raw"] == "{nonsense"
    assert (s.job_info("dear").failed, s.job_info("dear").rows_in) == (3, 5)
    # a job that does not read the price is not deprived of the row whose price is wrong
    assert rows(s.read("volumes")) == [("A", 1), ("A", 1), ("A", 2)]
    assert s.job_info("volumes").failed == 2


FAILING = (
    "START JOB failing AS SELECT symbol, SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp) AS x FROM trades"
)


def test_a_job_that_fails_does_not_stop_the_others(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql(DEAR)
    s.sql(FAILING)
    huge = [{"symbol": "A", "price": 200.0, "volume": 2**62, "timestamp": START_MS + i} for i in range(3)]
    s.produce("trades", huge)
    s.produce("trades", trades(60, first=1))
    with pytest.raises(JobFailedError, match="failing"):
        s.drain(final=True)
    assert s.job_info("dear").state is JobState.FINISHED
    assert s.job_info("dear").rows_out == 3 + 11
    failed = s.job_info("failing")
    assert failed.state is JobState.FAILED
    assert "BIGINT" in (failed.error or "")
    s.drain()  # it was told once
    with pytest.raises(JobError, match="it is failed"):
        s.control("failing", "pause")


def test_a_deleted_topic_fails_its_readers_only(s: SessionLike) -> None:
    s.produce("trades", trades(3))
    s.sql(DEAR)
    with pytest.raises(JobError, match="used by dear"):
        s.sql("DROP STREAM trades")
    s.sql("STOP JOB dear; DROP STREAM trades")
    assert [t.name for t in s.topics()] == ["dear"]
    with pytest.raises(UnknownTopicError):
        s.sql("DROP STREAM trades")
    assert "no stream" in s.sql("DROP STREAM IF EXISTS trades")[0].message


def test_the_first_error_stops_the_statements_after_it(s: SessionLike) -> None:
    s.produce("trades", trades(3))
    with pytest.raises(BindError):
        s.sql(f"{DEAR}; START JOB bad AS SELECT nonsense FROM trades; {TOTALS}")
    assert [info.name for info in s.jobs()] == ["dear"]
    with pytest.raises(ParseError):
        s.sql(f"{TOTALS}; SELEKT 1")
    assert [info.name for info in s.jobs()] == ["dear"]


def test_unknown_names_and_options_come_with_near_ones(s: SessionLike) -> None:
    s.produce("trades", trades(3))
    with pytest.raises(BindError, match="unknown stream or topic 'trade'") as stream:
        s.sql("START JOB j AS SELECT * FROM trade")
    assert "trades" in (stream.value.hint or "")
    assert "CREATE STREAM" in (stream.value.hint or "")
    with pytest.raises(ConfigError, match=r"output\.topik") as option:
        s.sql(DEAR + " WITH ('output.topik' = 'x')")
    assert "output.topic" in (option.value.hint or "")
    with pytest.raises(ConfigError, match="not yet"):
        s.sql("CREATE STREAM quotes (symbol VARCHAR) WITH ('format' = 'avro')")


# -- many at once -------------------------------------------------------------------------------------------------------


def test_counts_are_exact_while_many_threads_produce(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql("START JOB everything AS SELECT symbol, volume FROM trades")
    s.sql("START JOB again AS SELECT symbol, volume FROM everything")

    def produce(number: int) -> None:
        for _ in range(20):
            s.produce("trades", [{"symbol": f"S{number}", "volume": i, "timestamp": START_MS} for i in range(50)])

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        s.drain(timeout=60)
        s.jobs()
    s.drain(timeout=60)
    assert s.job_info("everything").rows_out == 4_000
    counts = s.query("SELECT symbol, COUNT(*) AS n, COUNT(DISTINCT volume) AS volumes FROM again GROUP BY symbol")
    assert rows(counts) == [(f"S{n}", 1_000, 50) for n in range(4)]


def test_jobs_may_be_started_and_stopped_from_many_threads(s: SessionLike) -> None:
    s.produce("trades", trades(100))

    def churn(number: int) -> None:
        for _ in range(3):
            s.sql(DEAR.replace("JOB dear", f"JOB dear{number}"))
            s.drain(timeout=60)
            s.control(f"dear{number}", "stop")

    threads = [threading.Thread(target=churn, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(info.name, info.state, info.rows_out) for info in s.jobs()} == {
        (f"dear{n}", JobState.STOPPED, 50) for n in range(3)
    }


# -- looking ------------------------------------------------------------------------------------------------------------


def test_a_changelog_is_folded_by_its_key_unless_asked(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql(
        "START JOB latest AS SELECT symbol, volume FROM trades "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp DESC) = 1"
    )
    for first in range(0, 30, 10):
        s.produce("trades", trades(10, first=first))
        s.drain()
    assert rows(s.read("latest")) == [("A", 28), ("B", 29)]
    changes = s.read("latest", changelog=True)
    assert changes.column_names == ["symbol", "volume", "op"]
    assert sorted(changes.to_pylist()[-2:], key=lambda row: row["symbol"]) == [
        {"symbol": "A", "volume": 28, "op": "upsert"},
        {"symbol": "B", "volume": 29, "op": "upsert"},
    ]
    assert changes.num_rows > 2
    assert s.read("trades", changelog=True)["op"].to_pylist() == ["upsert"] * 30
    assert rows(s.query("SELECT symbol, volume FROM latest")) == [("A", 28), ("B", 29)]
    assert {t.name: t.key for t in s.topics()}["latest"] == ("symbol",)
    assert s.frames({"latest": None})["latest"].rows.column_names == ["symbol", "volume"]


LIMITS = "CREATE TABLE limits (trader VARCHAR, desk BIGINT, most DOUBLE NOT NULL, PRIMARY KEY (trader, desk))"


def limit(trader: str, desk: int, most: float) -> dict[str, object]:
    return {"trader": trader, "desk": desk, "most": most}


def test_rows_of_a_table_are_replaced_and_deleted_by_their_key(s: SessionLike) -> None:
    s.sql(LIMITS)
    s.sql("START JOB sums AS SELECT trader, SUM(most) AS most, COUNT(*) AS n FROM limits GROUP BY trader")
    s.produce("limits", [limit("A", 1, 10.0), limit("A", 2, 20.0), limit("B", 1, 5.0)])
    assert s.produce("limits", [limit("A", 1, 11.0)]) == 1
    s.drain()
    assert rows(s.read("limits")) == [("A", 1, 11.0), ("A", 2, 20.0), ("B", 1, 5.0)]
    assert rows(s.read("sums")) == [("A", 31.0, 2), ("B", 5.0, 1)]
    assert s.produce("limits", [{"trader": "A", "desk": 1}, {"trader": "X", "desk": 9}], op="delete") == 2
    assert s.produce("limits", pd.DataFrame([{"trader": "B", "desk": 1, "most": 0.0}]), op="delete") == 1
    s.drain()
    assert rows(s.read("limits")) == rows(s.query("SELECT * FROM limits")) == [("A", 2, 20.0)]
    assert rows(s.read("sums")) == [("A", 20.0, 1)]
    changes = s.read("limits", changelog=True).to_pylist()
    assert [row["op"] for row in changes] == ["upsert"] * 4 + ["delete"] * 3
    assert changes[-1] == {"trader": "B", "desk": 1, "most": None, "op": "delete"}
    s.produce("limits", [limit("B", 1, 7.0)])
    s.drain()
    assert rows(s.read("sums")) == [("A", 20.0, 1), ("B", 7.0, 1)]


def test_a_delete_names_its_key_and_only_tables_take_it(s: SessionLike) -> None:
    s.sql(LIMITS)
    for wrong in ([{"trader": "A"}], [{"trader": "A", "desk": None}], pa.table({"desk": [1]}), [b"A|1"]):
        with pytest.raises(SchemaError, match=r"does not name its|not raw records") as caught:
            s.produce("limits", wrong, op="delete")
        assert '[{"trader": …, "desk": …}]' in (caught.value.hint or "")
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE)")
    with pytest.raises(UnsupportedError, match="'trades' cannot be deleted"):
        s.produce("trades", [{"symbol": "A"}], op="delete")
    assert s.produce("limits", [], op="delete") == 0
    assert s.read("limits").num_rows == 0


def test_frames_of_a_changelog_give_what_stands_and_what_went(s: SessionLike) -> None:
    s.sql(LIMITS)
    s.produce("limits", [limit("A", 1, 10.0), limit("A", 1, 11.0), limit("B", 1, 5.0)])
    frame = s.frames({"limits": None})["limits"]
    assert (frame.changelog, frame.key, frame.total) == ("upsert", ("trader", "desk"), 3)
    assert rows(frame.rows) == [("A", 1, 11.0), ("B", 1, 5.0)]
    s.produce("limits", [{"trader": "B", "desk": 1}], op="delete")
    s.produce("limits", [limit("A", 1, 12.0)])
    again = s.frames({"limits": frame.next})["limits"]
    assert rows(again.rows) == [("A", 1, 12.0)]
    assert again.deleted is not None
    assert again.deleted.to_pylist() == [{"trader": "B", "desk": 1}]
    s.produce("trades", trades(3))
    plain = s.frames({"trades": None})["trades"]
    assert (plain.changelog, plain.key, plain.deleted) == (None, (), None)


def test_a_bag_of_rows_is_read_as_one(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql("START JOB counts AS SELECT symbol, COUNT(*) AS n FROM trades GROUP BY symbol")
    s.sql("START JOB parity AS SELECT n % 2 AS odd FROM counts WITH ('changelog' = 'retract')")
    s.sql("START JOB odd AS SELECT SUM(odd) AS odd, COUNT(*) AS symbols FROM parity")
    for symbols, expected in [("AB", [1, 1]), ("A", [0, 1]), ("B", [0, 0]), ("ABA", [0, 1])]:
        s.produce("trades", [{"symbol": symbol, "timestamp": START_MS} for symbol in symbols])
        s.drain()
        assert rows(s.read("parity")) == [(odd,) for odd in expected]
        assert rows(s.read("odd")) == [(sum(expected), 2)]
    frame = s.frames({"parity": None})["parity"]
    assert (frame.changelog, frame.key) == ("retract", ())
    assert rows(frame.rows) == rows(s.read("parity"))
    assert {row["op"] for row in s.read("parity", changelog=True).to_pylist()} == {"insert", "delete"}


def test_a_state_begun_anew_replaces_what_stood_in_its_topic(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql("START JOB bag AS SELECT COUNT(*) AS n FROM trades GROUP BY symbol WITH ('changelog' = 'retract')")
    s.produce("trades", trades(10))
    s.drain()
    before = s.read("bag", changelog=True).num_rows
    for _ in range(2):
        s.control("bag", "restart")
        s.drain()
        assert rows(s.read("bag")) == [(5,), (5,)]
    assert s.read("bag", changelog=True).num_rows == before  # nothing has changed
    s.control("bag", "restart")
    s.produce("trades", trades(1))
    s.drain()
    assert rows(s.read("bag")) == [(5,), (6,)]


def test_late_rows_may_go_to_the_dead_letters(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql(WINDOWS + " WITH ('late.data' = 'dead_letter')")
    s.produce("trades", trades(25))
    s.drain()
    s.produce("trades", trades(2))
    s.drain()
    letters = s.read("windows.dlq").to_pylist()
    assert [(d["job"], d["topic"], d["partition"], d["offset"]) for d in letters] == [
        ("windows", "trades", 0, 25),
        ("windows", "trades", 0, 26),
    ]
    assert all("late" in d["reason"] or "watermark" in d["reason"] for d in letters)
    assert s.job_info("windows").late == 2


def test_frames_give_what_is_new_and_say_what_was_skipped(s: SessionLike) -> None:
    assert s.frames({"trades": None})["trades"].rows.num_rows == 0
    s.produce("trades", trades(10))
    frame = s.frames({"trades": None}, limit=4)["trades"]
    assert frame.rows["volume"].to_pylist() == [6, 7, 8, 9]
    assert (frame.next, frame.skipped, frame.total) == (10, 0, 10)
    assert frame.rows.schema.field("timestamp").type == pa.timestamp("us")
    s.produce("trades", trades(10, first=10))
    again = s.frames({"trades": frame.next}, limit=3)["trades"]
    assert again.rows["volume"].to_pylist() == [17, 18, 19]
    assert (again.next, again.skipped, again.total) == (20, 7, 20)
    idle = s.frames({"trades": again.next})["trades"]
    assert (idle.rows.num_rows, idle.next, idle.skipped) == (0, 20, 0)


def test_frames_of_one_look_agree_on_one_tick(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql(
        "START JOB one AS SELECT volume FROM trades; START JOB two AS SELECT volume FROM trades; "
        "START JOB three AS SELECT volume + 0 AS volume FROM trades"
    )
    done = threading.Event()

    def produce() -> None:
        for first in range(0, 3_000, 10):
            s.produce("trades", trades(10, first=first))
        done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    while not done.is_set():
        totals = {frame.total for frame in s.frames({"one": None, "two": None, "three": None}).values()}
        assert len(totals) == 1
    thread.join()
    s.drain()
    assert [f.total for f in s.frames({"one": None, "three": None}).values()] == [3_000, 3_000]


def test_a_query_reads_what_is_retained(s: SessionLike) -> None:
    s.produce("trades", trades(10))
    s.produce("names", [{"symbol": "A", "name": "Alpha"}, {"symbol": "B", "name": "Beta"}])
    answer = s.query(
        "SELECT name, COUNT(*) AS n, MAX(price) AS top FROM trades JOIN names USING (symbol) GROUP BY name ORDER BY name"
    )
    assert answer.to_pylist() == [{"name": "Alpha", "n": 5, "top": 108.0}, {"name": "Beta", "n": 5, "top": 109.0}]
    with pytest.raises(BindError):
        s.query("SELECT * FROM nothing")
    with pytest.raises(UnsupportedError):
        s.query(DEAR)
    with pytest.raises(UnsupportedError):
        s.query("SELECT 1; SELECT 2")


def test_parameters_are_values_and_not_text(s: SessionLike) -> None:
    s.produce("trades", [{"symbol": "O'Neil", "price": 1.0}, {"symbol": "A", "price": 2.0}])
    result = s.sql("SELECT price FROM trades WHERE symbol = $name", name="O'Neil")
    assert result[0].table is not None
    assert result[0].table.to_pylist() == [{"price": 1.0}]


def test_a_push_query_with_a_limit_ends_by_itself(s: SessionLike) -> None:
    s.produce("trades", trades(100))
    assert s.query("SELECT volume FROM trades EMIT CHANGES LIMIT 7")["volume"].to_pylist() == list(range(7))
    assert s.jobs() == []
    with pytest.raises(UnsupportedError, match="never ends"):
        s.query("SELECT volume FROM trades EMIT CHANGES")
    (result,) = s.sql("SELECT volume FROM trades EMIT CHANGES")
    assert (result.kind, result.job) == ("job", "query_1")
    s.drain()
    assert s.read("query_1").num_rows == 100


def test_show_describe_and_explain_answer_with_tables(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.produce("trades", trades(30))
    s.sql(WINDOWS)
    s.drain()
    jobs = s.query("SHOW JOBS").to_pylist()
    assert [(j["job"], j["state"], j["rows_in"], j["output"]) for j in jobs] == [("windows", "running", 30, "windows")]
    assert {t["topic"] for t in s.query("SHOW TOPICS").to_pylist()} == {"trades", "windows"}
    assert s.query("SHOW STREAMS").to_pylist()[0]["event_time"] == "timestamp"
    assert s.query("SHOW TABLES").num_rows == 0
    assert s.query("SHOW FUNCTIONS").num_rows > 5
    described = s.query("DESCRIBE trades").to_pylist()
    assert (described[0]["column"], described[0]["type"]) == ("symbol", "VARCHAR")
    assert {p["property"]: p["value"] for p in s.query("DESCRIBE windows").to_pylist()}["inputs"] == "trades"
    plan = s.query("EXPLAIN SELECT symbol FROM trades WHERE price > 3")["plan"].to_pylist()
    assert "read trades" in plan[0]
    running, planned = (s.query(f"EXPLAIN {what}")["plan"].to_pylist() for what in ("JOB windows", WINDOWS))
    assert [line for line in running if not line.startswith(" ")] == [p for p in planned if not p.startswith(" ")]
    operators = s.query("EXPLAIN ANALYZE JOB windows").to_pylist()
    assert operators[0]["rows_in"] == 30
    assert operators[0]["operator"] == "source"


def test_settings_hold_for_jobs_started_later(s: SessionLike) -> None:
    s.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    s.sql("SET watermark.delay = '5s'")
    s.sql(WINDOWS)
    s.produce("trades", [*trades(10), *trades(4, first=10)])
    s.drain()
    assert s.read("windows").num_rows == 0  # 13 s - 5 s has not reached the end of the first ten
    s.produce("trades", trades(2, first=14))
    s.drain()
    assert s.read("windows").num_rows == 2


def test_declaring_again_is_harmless_when_nothing_changed(s: SessionLike) -> None:
    create = "CREATE STREAM trades (symbol VARCHAR, price DOUBLE)"
    s.sql(create)
    assert "already" in s.sql(create)[0].message
    with pytest.raises(JobExistsError, match="other columns"):
        s.sql("CREATE STREAM trades (symbol VARCHAR)")
    s.sql("CREATE OR REPLACE STREAM trades (symbol VARCHAR)")
    assert s.query("DESCRIBE trades").num_rows == 1


def test_a_declared_output_must_have_the_columns_that_are_written(s: SessionLike) -> None:
    s.produce("trades", trades(3))
    s.sql("CREATE STREAM out (symbol VARCHAR, cost DOUBLE)")
    with pytest.raises(BindError, match="no column 'price'"):
        s.sql("INSERT INTO out SELECT symbol, price FROM trades")
    s.sql("INSERT INTO out SELECT symbol, price AS cost FROM trades")
    s.drain()
    assert s.read("out").num_rows == 3


def test_two_jobs_may_write_one_topic_if_their_columns_agree(s: SessionLike) -> None:
    s.produce("trades", trades(10))
    s.sql("START JOB low AS SELECT symbol, price FROM trades WHERE price < 103 WITH ('output.topic' = 'both')")
    s.sql("START JOB high AS SELECT symbol, price FROM trades WHERE price > 107 WITH ('output.topic' = 'both')")
    with pytest.raises(BindError, match="with other columns"):
        s.sql("START JOB other AS SELECT symbol FROM trades WITH ('output.topic' = 'both')")
    s.drain()
    assert s.read("both").num_rows == 5
    assert s.job_info("low").state is JobState.RUNNING


# -- the end ------------------------------------------------------------------------------------------------------------


def test_closing_twice_is_harmless_and_a_closed_session_says_so(s: SessionLike) -> None:
    s.produce("trades", trades(10))
    s.sql(DEAR)
    s.close()
    s.close()
    with pytest.raises(velo.VeloError, match="closed"):
        s.sql(DEAR)
    with pytest.raises(velo.VeloError, match="closed"):
        s.produce("trades", trades(1))
