"""The engine's thread: commands, drains, user code, the end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.core.clock import ManualClock
from velostream_nb.core.errors import JobError, VeloError
from velostream_nb.core.model import JobState
from velostream_nb.jobs import runner as runner_module
from velostream_nb.jobs.session import Session

COPY = "START JOB copy AS SELECT x FROM t"


@pytest.fixture
def s() -> Iterator[Session]:
    with Session() as session:
        session.sql("CREATE STREAM t (x BIGINT, timestamp TIMESTAMP)")
        yield session


def rows(first: int, count: int = 1) -> list[dict[str, int]]:
    return [{"x": i, "timestamp": i * 1_000} for i in range(first, first + count)]


def engine_threads() -> int:
    return sum(thread.name == "velo-engine" for thread in threading.enumerate())


def eventually(true: Callable[[], bool], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.002)


def test_a_session_has_no_thread_before_its_first_job_and_none_after_its_end() -> None:
    before = engine_threads()
    s = Session()
    s.produce("t", rows(0, 5))
    assert s.jobs() == []
    s.query("SELECT count(*) FROM t")
    assert engine_threads() == before
    s.sql(COPY)
    assert engine_threads() == before + 1
    s.close()
    assert engine_threads() == before
    assert s.closed
    assert repr(s) == "Session (closed)"


def test_two_sessions_in_one_process_do_not_meet() -> None:
    with Session() as one, Session() as two:
        for number, session in enumerate((one, two), 1):
            session.produce("t", rows(0, number))
            session.sql(COPY)
        one.drain()
        two.drain()
        assert (one.read("copy").num_rows, two.read("copy").num_rows) == (1, 2)
        one.close()
        two.produce("t", rows(5))
        two.drain()
        assert two.read("copy").num_rows == 3


def test_a_session_nobody_holds_ends_its_thread() -> None:
    before = engine_threads()
    s = Session()
    s.produce("t", rows(0))
    s.sql(COPY)
    del s
    gc.collect()
    eventually(lambda: engine_threads() == before)


def test_a_broker_that_was_passed_in_stays_open_and_may_be_shared() -> None:
    broker = EmbeddedBroker()
    with Session(broker) as one, Session(broker) as two:
        one.produce("t", rows(0, 3))
        one.sql(COPY)
        one.drain()
        assert two.read("copy").num_rows == 3
    assert broker.topic("copy").rows == 3
    broker.close()


def test_the_stream_of_a_job_gets_tables_that_are_published_already(s: Session) -> None:
    seen: list[tuple[int, int]] = []
    s.sql(COPY)
    s.job("copy").stream.sink(lambda table: seen.append((table.num_rows, s.read("copy").num_rows)))
    for first in range(0, 30, 10):
        s.produce("t", rows(first, 10))
        s.drain()
    assert sum(count for count, _ in seen) == 30
    assert seen[-1][1] == 30
    assert all(published >= count for count, published in seen)


def test_user_code_that_raises_is_told_in_the_notes_and_stops_nothing(s: Session) -> None:
    def fail(_table: pa.Table) -> None:
        raise ValueError("my mistake")

    s.sql(COPY)
    s.job("copy").stream.sink(fail)
    s.produce("t", rows(0, 3))
    s.drain()
    info = s.job_info("copy")
    assert (info.state, info.rows_out, info.error) == (JobState.RUNNING, 3, None)
    assert "ValueError: my mistake" in info.notes[-1]
    assert "my mistake" in repr(s.job("copy"))


@pytest.mark.parametrize("action", ["stop", "pause", "restart", "drop"])
def test_a_job_may_be_steered_from_its_own_stream(s: Session, action: str) -> None:
    s.sql(COPY)
    done: list[Any] = []

    def act(_table: pa.Table) -> None:
        if not done:
            done.append(action)
            s.control("copy", action)

    s.job("copy").stream.sink(act)
    s.produce("t", rows(0, 3))
    s.drain(timeout=10)
    if action == "drop":
        assert s.jobs() == []
    else:
        expected = {"stop": JobState.STOPPED, "pause": JobState.PAUSED, "restart": JobState.RUNNING}[action]
        assert s.job_info("copy").state is expected
        assert s.job_info("copy").notes == ()


def test_jobs_may_be_started_and_rows_produced_from_a_stream(s: Session) -> None:
    s.sql(COPY)

    def act(table: pa.Table) -> None:
        if not any(info.name == "second" for info in s.jobs()):
            s.sql("START JOB second AS SELECT x * 2 AS x FROM copy")
        s.produce("seen", table)

    s.job("copy").stream.sink(act)
    s.produce("t", rows(1, 3))
    s.drain(timeout=10)
    s.drain(timeout=10)
    assert s.read("second")["x"].to_pylist() == [2, 4, 6]
    assert s.read("seen")["x"].to_pylist() == [1, 2, 3]
    assert s.job_info("copy").notes == ()


def test_waiting_for_the_engine_from_its_own_thread_is_refused_and_closing_is_not(s: Session) -> None:
    before = engine_threads() - 1 if engine_threads() else 0
    s.sql(COPY)
    errors: list[str] = []

    def act(_table: pa.Table) -> None:
        for wait in (s.drain, lambda: s.query("SELECT x FROM t EMIT CHANGES LIMIT 1")):
            with pytest.raises(JobError) as caught:
                wait()
            errors.append(caught.value.message)
        s.close()

    s.job("copy").stream.sink(act)
    s.produce("t", rows(0, 3))
    eventually(lambda: s.closed and engine_threads() <= before)
    assert [("wait" in message) for message in errors] == [True, True]


def test_a_drain_ends_while_others_go_on_producing(s: Session) -> None:
    s.sql(COPY)
    stop = threading.Event()
    produced = 0

    def produce() -> None:
        nonlocal produced
        while not stop.is_set():
            produced += s.produce("t", rows(produced, 20))

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        for _ in range(5):
            at_least = produced
            s.drain(timeout=20)
            assert s.job_info("copy").rows_in >= at_least
    finally:
        stop.set()
        thread.join()


def test_a_caller_does_not_wait_longer_than_it_said_for_a_busy_engine(s: Session) -> None:
    s.sql(COPY)
    inside, go_on = threading.Event(), threading.Event()

    def block(_table: pa.Table) -> None:
        inside.set()
        go_on.wait(10)

    s.job("copy").stream.sink(block)
    s.produce("t", rows(0, 3))
    inside.wait(10)
    s.produce("t", rows(3, 3))
    with pytest.raises(JobError, match="did not answer"):
        s.drain(timeout=0.02)
    go_on.set()
    s.drain(timeout=10)
    assert s.job_info("copy").rows_in == 6


def test_a_drain_that_is_not_there_in_time_says_who_is_behind(s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    s.sql(COPY)
    s.drain()
    monkeypatch.setattr(s._machine.ticker, "tick", lambda *_args, **_kwargs: False)
    s.produce("t", rows(0, 3))
    with pytest.raises(JobError, match=r"not drained after 0\.05 s: copy still has records") as caught:
        s.drain(timeout=0.05)
    assert "lag_rows" in (caught.value.hint or "")
    monkeypatch.undo()
    s.drain(timeout=10)
    assert s.read("copy").num_rows == 3


def test_a_command_of_a_closed_session_is_refused_and_never_hangs(s: Session) -> None:
    s.sql(COPY)
    runner = s._machine.runner()
    s.close()
    with pytest.raises(JobError, match="closed"):
        runner.call(lambda: None)
    with pytest.raises(VeloError, match="closed"):
        s.drain()


def test_a_fault_of_the_engine_room_fails_jobs_and_not_the_thread(s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    s.sql(COPY)
    runner = s._machine.runner()

    def explode(*_args: object, **_kwargs: object) -> bool:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr(runner.ticker, "tick", explode)
    s.produce("t", rows(0))
    with pytest.raises(JobError, match="a bug"):
        s.drain(timeout=10)
    assert s.control("copy", "restart").state is JobState.RUNNING
    s.drain(timeout=10)
    assert s.read("copy").num_rows == 1


def test_jobs_of_one_text_share_their_readers(s: Session) -> None:
    s.produce("t", rows(0, 5_000))
    s.sql("; ".join(COPY.replace("copy", f"copy{n}") for n in range(4)))
    assert len(s._machine.ticker.readers()) == 1
    s.drain()
    assert [info.rows_out for info in s.jobs()] == [5_000] * 4


def test_an_idle_engine_looks_about_twenty_times_a_second_and_not_more(
    s: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    s.sql(COPY)
    s.drain()
    ticks = 0
    tick = s._machine.ticker.tick

    def counting(*args: Any, **kwargs: Any) -> bool:
        nonlocal ticks
        ticks += 1
        return tick(*args, **kwargs)

    monkeypatch.setattr(s._machine.ticker, "tick", counting)
    began = time.monotonic()
    eventually(lambda: ticks >= 4)
    assert time.monotonic() - began > 3 * runner_module.NAP_S * 0.9


def test_a_command_does_not_wait_for_the_end_of_a_nap(s: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "NAP_S", 30.0)
    s.sql(COPY)
    s.produce("t", rows(0, 3))
    began = time.monotonic()
    for _ in range(20):
        s.drain()
        s.control("copy", "pause")
        s.control("copy", "resume")
    s.close()
    assert time.monotonic() - began < 10


def test_idleness_goes_by_the_clock_that_was_given() -> None:
    clock = ManualClock(1_000_000_000)
    broker = EmbeddedBroker(clock)
    broker.create_topic("t", partitions=2)
    with Session(broker, clock) as s:
        s.sql("CREATE STREAM t (x BIGINT, timestamp TIMESTAMP) WITH ('idle.timeout' = '5s')")
        s.sql("START JOB w AS SELECT COUNT(*) AS n FROM t GROUP BY TUMBLE(timestamp, INTERVAL '10' SECOND)")
        broker.produce("t", pa.array([b'{"x":1,"timestamp":1000}'], pa.binary()), partition=1)
        s.drain()
        clock.advance_us(5_000_000)
        broker.produce("t", pa.array([b'{"x":1,"timestamp":25000}'], pa.binary()), partition=0)
        eventually(lambda: s.job_info("w").rows_out == 1)
        assert s.read("w").to_pylist() == [{"n": 1}]
    broker.close()
