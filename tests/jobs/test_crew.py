"""Threads that share the work of a tick, and readers that are one batch ahead: nobody can tell but by the clock."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import velostream_generator as market

import velostream_nb as velo
from velostream_nb.brokers.contract import Reader
from velostream_nb.brokers.file_reader import FileReader
from velostream_nb.core.clock import ManualClock
from velostream_nb.core.errors import BrokerError, ConfigError
from velostream_nb.core.files import shipped
from velostream_nb.core.model import JobState
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.jobs import crew
from velostream_nb.jobs.batch import run_files
from velostream_nb.jobs.crew import Cost, Crew, Task, threads_or_default
from velostream_nb.jobs.read_ahead import AheadReader
from velostream_nb.sinks.files import FileSink


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece of work is shared."""
    monkeypatch.setattr(crew.Crew, "_may_save_us", lambda self, tasks: 1.0 if self.size > 1 and len(tasks) > 1 else 0.0)
    monkeypatch.setattr(crew.Sharing, "next", lambda _sharing: True)


# -- the crew -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_task_is_done_once(size: int) -> None:
    done: Counter[int] = Counter()
    hands = Crew(size)
    for _ in range(50):
        tasks = [Task(lambda n=n: done.update([n]), n, Cost()) for n in range(9)]  # type: ignore[misc]
        hands.run(tasks)
    hands.close()
    assert done == dict.fromkeys(range(9), 50)


@pytest.mark.usefixtures("eager")
def test_an_error_stays_with_its_task() -> None:
    def broken() -> None:
        raise ValueError("no")

    tasks = [Task(broken, 1, Cost()), Task(lambda: None, 1, Cost()), Task(broken, 2, Cost())]
    hands = Crew(2)
    hands.run(tasks)
    hands.close()
    assert [str(task.error) for task in tasks] == ["no", "None", "no"]


@pytest.mark.usefixtures("eager")
def test_two_tasks_are_at_work_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=30)
    hands = Crew(2)
    tasks = [Task(together.wait, 1, Cost()), Task(together.wait, 1, Cost())]
    hands.run(tasks)
    hands.close()
    assert [task.error for task in tasks] == [None, None]


@pytest.mark.usefixtures("eager")
def test_some_work_stays_at_home() -> None:
    seen: dict[str, set[int]] = {"home": set(), "away": set()}
    hands = Crew(3)
    for _ in range(20):
        hands.run(
            [Task(lambda: seen["home"].add(threading.get_ident()), 1, Cost(), at_home=True) for _ in range(4)]
            + [Task(lambda: seen["away"].add(threading.get_ident()), 1, Cost()) for _ in range(4)]
        )
    hands.close()
    assert seen["home"] == {threading.get_ident()}


@pytest.mark.usefixtures("eager")
def test_an_interrupt_waits_for_the_others() -> None:
    """Whoever takes the jobs apart after it must find nobody at work on them."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def long() -> None:
        began.set()
        go_on.wait(30)
        ended.set()

    def interrupted() -> None:
        began.wait(30)
        go_on.set()
        raise KeyboardInterrupt

    hands = Crew(2)
    with pytest.raises(KeyboardInterrupt):
        hands.run([Task(interrupted, 1, Cost(), at_home=True), Task(long, 1, Cost())])
    assert ended.is_set()
    hands.close()


def test_little_work_wakes_nobody() -> None:
    seen: set[int] = set()
    hands = Crew(2)
    hands.run([Task(lambda: seen.add(threading.get_ident()), 1, _cost(100.0)) for _ in range(4)])
    assert seen == {threading.get_ident()}


def _turns(parts: Callable[[int], float], count: int, alone: float = 1.0) -> list[bool]:
    """Which turns are shared when the shared ones take such parts of the time."""
    sharing, ways = crew.Sharing(), []
    for turn in range(count):
        shared = sharing.next()
        sharing.note(parts(turn) if shared else alone, shared=shared)
        ways.append(shared)
    return ways


def test_work_is_shared_as_long_as_it_pays() -> None:
    ways = _turns(lambda _turn: 0.6, 10_000)
    assert ways[:1_000] == [True] * 1_000
    assert 1 <= ways.count(False) <= 10


def test_work_is_not_shared_where_it_does_not_pay_but_tried_ever_less_often() -> None:
    tries = [turn for turn, shared in enumerate(_turns(lambda _turn: 1.3, 1_000)) if shared]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[1:4] == [16, 32, 64]
    assert set(pauses[4:]) == {crew.MOST_PAUSE}


def test_one_bad_turn_is_forgotten_soon() -> None:
    ways = _turns(lambda turn: 5.0 if turn == 20 else 0.6, 200)
    assert ways[:20] == [True] * 20
    assert ways[60:].count(False) <= 6


def test_work_that_no_longer_pays_is_done_alone_at_once() -> None:
    """Another process takes the other core, say."""
    ways = _turns(lambda turn: 0.6 if turn < 500 else 1.2, 1_000)
    assert ways[:500] == [True] * 500
    assert ways[500:].count(True) < 25


def test_work_is_shared_where_others_slow_it_down_either_way() -> None:
    assert _turns(lambda _turn: 1.3, 1_000, alone=2.0).count(True) > 900


@pytest.mark.parametrize("rows", [100, 100_000])
def test_every_task_is_measured_the_first_time(rows: int) -> None:
    hands, costs = Crew(2), [Cost() for _ in range(4)]
    hands.run([Task(lambda: None, rows, cost) for cost in costs])
    hands.close()
    assert all(cost.is_known for cost in costs)


def test_the_long_tasks_come_first() -> None:
    order: list[int] = []
    hands = Crew(1)
    hands._share([Task(lambda us=us: order.append(us), 1, _cost(us)) for us in (3, 9, 1, 7)])  # type: ignore[misc]
    assert order == [9, 7, 3, 1]


def test_waiting_is_no_cost() -> None:
    """Beside other threads a task takes longer, and is no longer than it was."""
    task = Task(lambda: threading.Event().wait(0.2), 1, Cost())
    task.measure()
    assert task.cost.is_known
    assert task.cost.expected_us(1) < 100_000


@pytest.mark.parametrize(("rows", "expected_us"), [(100, 1_000.0), (200, 2_000.0), (70, 1_000.0), (1, 500.0)])
def test_costs_grow_with_the_rows_and_shrink_to_the_half(rows: int, expected_us: float) -> None:
    assert _cost(1_000.0, 100).expected_us(rows) == expected_us


def test_the_last_times_count_most() -> None:
    cost = _cost(1_000.0, 10)
    for _ in range(20):
        cost.note(2_000.0, 10)
    assert cost.expected_us(10) == pytest.approx(2_000.0, rel=0.01)


def test_small_batches_say_nothing_of_large_ones() -> None:
    cost = _cost(50_000.0, 80_000)
    for _ in range(20):
        cost.note(1_000.0, 1)
        cost.note(50_000.0, 80_000)
    assert (cost.expected_us(1), cost.expected_us(80_000)) == (1_000.0, 50_000.0)


def _cost(us: float, rows: int = 1) -> Cost:
    cost = Cost()
    cost.note(us, rows)
    return cost


def test_threads_are_one_a_core_or_as_asked() -> None:
    assert threads_or_default(None) >= 1
    assert threads_or_default(3) == 3
    with pytest.raises(ConfigError, match="at least one thread, got 0"):
        velo.connect(threads=0)


# -- reading ahead ------------------------------------------------------------------------------------------------------


def _rows(count: int) -> pa.Table:
    return pa.table({"n": range(count), "text": [f"row {n}" for n in range(count)]})


def _written(folder: Path, kind: str, count: int) -> Path:
    path = folder / f"rows.{kind}"
    if kind == "parquet":
        pq.write_table(_rows(count), path, row_group_size=100)
    elif kind == "csv":
        pacsv.write_csv(_rows(count), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in _rows(count).to_pylist()))
    return path


def _numbers(sets: list[RecordSet]) -> list[int]:
    found: list[int] = []
    for records in sets:
        payload = records.payload
        if isinstance(payload, Lines):
            found += [json.loads(line)["n"] for line in payload.data.splitlines()]
        else:
            assert isinstance(payload, pa.RecordBatch)
            found += [int(n) for n in payload.column("n").to_pylist()]
        assert [int(offset) for offset in records.offsets] == found[-records.rows :]
    return found


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("seed", range(6))
def test_a_reader_that_is_ahead_is_like_one_that_is_not(kind: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    path = _written(tmp_path, kind, 1_000)
    plain: Reader = FileReader("rows", path, block_bytes=4_096)
    ahead = AheadReader(FileReader("rows", path, block_bytes=4_096))
    while not plain.ended:
        if chance.random() < 0.7:
            ahead.fill(chance.choice([1, 40, 300]))
        until = None if chance.random() < 0.6 else {0: plain.positions()[0] + chance.randrange(90)}
        polled = _numbers(ahead.poll(chance.choice([0, 1, 60, 2_000]), until))
        assert polled == _numbers(plain.poll(len(polled), until))
        assert ahead.positions() == plain.positions()
        assert (ahead.lag_rows() == 0) == (plain.lag_rows() == 0)
        assert ahead.ended == plain.ended
    assert ahead.poll(10) == []


def test_an_error_met_ahead_comes_with_the_next_poll(tmp_path: Path) -> None:
    path = _written(tmp_path, "parquet", 1_000)
    reader = AheadReader(FileReader("rows", path))
    reader.inner.close()
    reader.fill(10)
    assert (reader.ended, reader.lag_rows()) == (False, 1)
    with pytest.raises(BrokerError, match="is closed"):
        reader.poll(10)


# -- runs over files ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Some minutes of market, with rows that do not decode."""
    folder = tmp_path_factory.mktemp("day")
    faults = market.Faults(disorder=0.05, malformed=0.01, seed=3)
    market.write(market.MarketConfig(seed=3, faults=faults), folder, format="jsonl", events=12_000)
    return {topic: folder / f"{topic}.jsonl" for topic in market.TOPICS}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("batch_rows", [333, 5_000])
def test_the_number_of_threads_changes_no_byte(day: dict[str, Path], batch_rows: int, tmp_path: Path) -> None:
    """The five jobs and two that read what others write, with their dead letters."""
    text = shipped("sql/financial_trading.sql").read_text() + (
        "START JOB busy AS SELECT symbol, total_volume, LAG(total_volume) OVER"
        " (PARTITION BY symbol ORDER BY window_end) AS before, window_end FROM order_imbalance_alerts;"
        "START JOB standing AS SELECT symbol, count(*) AS n FROM price_alerts GROUP BY symbol;"
    )
    written = []
    for threads in (1, 2, 4):
        out = tmp_path / str(threads)
        clock = ManualClock(1_767_623_400_000_000)  # dead letters say when they were written
        summary = run_files(text, day, sink_dir=out, batch_rows=batch_rows, threads=threads, clock=clock)
        assert summary.ok, [job.error for job in summary.jobs]
        counts = [(j.name, j.rows_in, j.rows_out, j.late, j.failed) for j in summary.jobs]
        written.append((counts, {path.name: path.read_bytes() for path in out.iterdir()}))
    assert written[0] == written[1] == written[2]
    assert len(written[0][1]) > 7
    assert all(written[0][1].values())


APP = """
CREATE STREAM trades (n BIGINT, timestamp TIMESTAMP);
START JOB all_of_them AS SELECT n, timestamp FROM trades;
START JOB {name} AS SELECT {what} AS x, timestamp FROM trades;
"""


def _trades(folder: Path, count: int = 3_000) -> Path:
    path = folder / "trades.jsonl"
    path.write_text("".join(f'{{"n": {n}, "timestamp": {n * 1_000}}}\n' for n in range(count)))
    return path


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [50, 20_000])
def test_a_file_that_cannot_be_written_ends_the_run(
    rows: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = FileSink.write

    def full(self: FileSink, batch: pa.Table | pa.RecordBatch) -> None:
        if self.path.name == "other.jsonl":
            raise OSError(28, "No space left on device")
        write(self, batch)

    monkeypatch.setattr(FileSink, "write", full)
    text, source = APP.format(name="other", what="n + 1"), _trades(tmp_path, rows)
    seen: list[int] = []
    with pytest.raises(ConfigError, match=r"cannot write .*other\.jsonl: No space left on device"):
        run_files(
            text,
            {"trades": source},
            sink_dir=tmp_path / "out",
            batch_rows=100,
            threads=threads,
            progress=lambda now: seen.append(now.rows_in),
        )
    assert not list((tmp_path / "out").iterdir())
    assert seen[-1] <= max(rows // 2, 100), "it goes on for long after the file could not be written"


@pytest.mark.usefixtures("eager")
def test_a_job_that_fails_beside_others_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from velostream_nb.jobs.running import RunningJob

    step = RunningJob.step

    def breaking(self: RunningJob, *inputs: object, **how: object) -> object:
        if self.name == "other" and self.totals.rows_in >= 500:
            raise RuntimeError("broken")
        return step(self, *inputs, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(RunningJob, "step", breaking)
    text = APP.format(name="other", what="n + 1")
    summary = run_files(text, {"trades": _trades(tmp_path)}, sink_dir=tmp_path / "out", batch_rows=100, threads=2)
    assert [(job.state, job.rows_out) for job in summary.jobs] == [(JobState.FINISHED, 3_000), (JobState.FAILED, 500)]


# -- sessions -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
def test_jobs_side_by_side_give_what_they_give_one_after_another() -> None:
    """With jobs that come, pause, change and go meanwhile, and a reader of another job's state."""
    answers = []
    for threads in (1, 3):
        with velo.connect(threads=threads) as s:
            s.sql("CREATE STREAM t (k VARCHAR, n BIGINT, timestamp TIMESTAMP)")
            s.sql("START JOB sums AS SELECT k, sum(n) AS total FROM t GROUP BY k")
            s.sql("START JOB big AS SELECT k, n FROM t WHERE n > $least", least=50)
            s.sql("START JOB of_sums AS SELECT max(total) AS most FROM sums")
            s.sql("START JOB steps AS SELECT k, n - LAG(n) OVER (PARTITION BY k ORDER BY timestamp) AS d FROM t")
            for tick in range(12):
                s.produce(
                    "t", [{"k": "abc"[i % 3], "n": tick * 10 + i, "timestamp": tick * 100 + i} for i in range(10)]
                )
                s.drain()
                if tick == 3:
                    s.control("steps", "pause")
                if tick == 5:
                    s.sql("ALTER JOB big SET least = 70")
                if tick == 6:
                    s.control("steps", "resume")
                    s.sql("START JOB late AS SELECT count(*) AS n FROM t")
            s.drain(final=True)
            answers.append({name: s.read(name).to_pylist() for name in ("sums", "big", "of_sums", "steps", "late")})
    assert answers[0] == answers[1]
    assert all(answers[0].values())


@pytest.mark.usefixtures("eager")
def test_python_functions_are_called_by_one_thread() -> None:
    threads: set[int] = set()

    def noted(x: int) -> int:
        threads.add(threading.get_ident())
        return x + 1

    with velo.connect(threads=4) as s:
        register: Callable[..., object] = s.function
        register(noted)
        for number in range(4):
            s.sql(f"START JOB j{number} AS SELECT noted(n) AS x FROM t") if number else s.sql(
                "CREATE STREAM t (n BIGINT, timestamp TIMESTAMP); START JOB j0 AS SELECT noted(n) AS x FROM t"
            )
        for tick in range(20):
            s.produce("t", [{"n": n, "timestamp": tick * 10 + n} for n in range(10)])
            s.drain()
    assert len(threads) == 1
