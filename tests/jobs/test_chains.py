"""Jobs that read what other jobs write: the whole graph in one tick, seen at once."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from tests.jobs.bench import STREAM, Bench, CountingCodec
from velostream_nb.brokers.contract import Output, Retention
from velostream_nb.core.model import JobState
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.intake import BatchSize

COPY = "START JOB {0} AS SELECT x, symbol, timestamp FROM {1}"


@pytest.fixture
def bench() -> Bench:
    made = Bench(BatchSize(rows=100, least=10, most=100))
    made.sql(STREAM)
    return made


def test_a_chain_is_through_in_one_tick_and_seen_at_once(bench: Bench) -> None:
    for name, source in [("c", "b"), ("b", "a"), ("a", "t")][::-1]:
        bench.sql(COPY.format(name, source))
    assert [[job.name for job in level] for level in bench.ticker.levels()] == [["a"], ["b"], ["c"]]
    for first in range(0, 60, 20):
        bench.produce("t", 20, first)
        version = bench.broker.version()
        assert bench.ticker.tick()
        assert bench.broker.version() == version + 1  # one publish
        assert bench.column("a") == bench.column("b") == bench.column("c") == list(range(first + 20))
        assert not bench.ticker.tick()
    assert bench.ticker.jobs["c"].totals.positions == {"b": {0: 60}}


def test_a_job_of_two_levels_sees_both_of_the_same_tick(bench: Bench) -> None:
    bench.sql("START JOB low AS SELECT x, timestamp FROM t WHERE x % 2 = 0")
    bench.sql("START JOB lower AS SELECT x, timestamp FROM low WHERE x % 4 = 0")
    bench.sql("START JOB both AS SELECT l.x FROM low l JOIN lower m ON l.x = m.x AND l.timestamp = m.timestamp")
    for first in range(0, 64, 16):
        bench.produce("t", 16, first)
        bench.ticker.tick()
        assert sorted(bench.column("both")) == list(range(0, first + 16, 4))  # type: ignore[type-var]


def test_two_jobs_may_feed_one_topic(bench: Bench) -> None:
    bench.sql(COPY.format("one", "t") + " WHERE x % 2 = 0 WITH ('output.topic' = 'pool')")
    bench.sql(COPY.format("two", "t") + " WHERE x % 2 = 1 WITH ('output.topic' = 'pool')")
    bench.sql(COPY.format("three", "pool"))
    bench.produce("t", 10)
    bench.ticker.tick()
    assert sorted(bench.column("three")) == list(range(10))  # type: ignore[type-var]
    assert sorted(bench.column("pool")) == list(range(10))  # type: ignore[type-var]


def test_a_latecomer_reads_the_backlog_and_then_the_same_tick(bench: Bench) -> None:
    bench.sql(COPY.format("a", "t"))
    bench.produce("t", 450)
    bench.run()
    bench.sql(COPY.format("b", "a"))
    for first in range(450, 600, 30):
        bench.produce("t", 30, first)
        bench.ticker.tick()
    bench.run()
    assert bench.column("b") == bench.column("a") == list(range(600))
    bench.produce("t", 5, 600)
    bench.ticker.tick()
    assert bench.column("b") == list(range(605))
    assert not bench.ticker.tick()


def test_a_paused_link_catches_up(bench: Bench) -> None:
    bench.sql(COPY.format("a", "t"))
    middle = bench.sql(COPY.format("b", "a"))
    bench.sql(COPY.format("c", "b"))
    bench.produce("t", 50)
    bench.run()
    bench.ticker.pause(middle)
    bench.produce("t", 250, 50)
    bench.run()
    assert (len(bench.column("a")), len(bench.column("c"))) == (300, 50)
    bench.ticker.resume(middle)
    bench.run()
    assert bench.column("c") == list(range(300))


class Meddler(CountingCodec):
    """Somebody who produces to the topic `into` in the middle of every tick."""

    bench: Bench
    into = ""

    def decode(self, records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
        if records.topic == "t" and self.into:
            rows = pa.record_batch({"x": pa.array([-1 - self.bench.broker.topic("t").latest])})
            self.bench.broker.publish([Output(self.into, rows)])
        return super().decode(records, schema, columns)


def test_what_others_produce_to_a_link_during_a_tick_is_read_once_and_in_order() -> None:
    codec = Meddler()
    bench = Bench(BatchSize(rows=10, least=10, most=10), codec=codec)
    codec.bench = bench
    bench.sql(STREAM)
    bench.sql("START JOB a AS SELECT x FROM t")
    bench.sql("START JOB b AS SELECT x FROM a")
    codec.into = "a"
    for first in range(0, 100, 5):
        bench.produce("t", 5, first)
        bench.ticker.tick()
        assert bench.column("a")[: len(bench.column("b"))] == bench.column("b")
    codec.into = ""
    bench.run()
    assert bench.column("b") == bench.column("a")
    assert len(bench.column("b")) == 120
    assert [x for x in bench.column("b") if int(str(x)) >= 0] == list(range(100))
    info = bench.ticker.jobs["b"]
    assert (info.totals.rows_in, info.lost, info.totals.positions) == (120, 0, {"a": {0: 120}})


def test_retention_of_a_link_takes_nothing_from_those_that_stand_at_its_end(bench: Bench) -> None:
    bench.broker.create_topic("a", retention=Retention(rows=3))
    bench.sql(COPY.format("a", "t"))
    bench.sql(COPY.format("b", "a"))
    for first in range(0, 100, 10):
        bench.produce("t", 10, first)
        bench.ticker.tick()
    assert bench.column("b") == list(range(100))
    assert (bench.ticker.jobs["b"].lost, len(bench.column("a"))) == (0, 10)


def test_records_of_every_partition_are_handed_over(bench: Bench) -> None:
    bench.broker.create_topic("k", partitions=3)
    bench.sql("START JOB k AS SELECT symbol, COUNT(*) AS n FROM t GROUP BY symbol")
    bench.sql("START JOB total AS SELECT SUM(n) AS n FROM k")
    for first in range(0, 50, 10):
        bench.produce("t", 10, first)
        bench.ticker.tick()
        assert bench.looker.table("total").to_pylist() == [{"n": first + 10}]
    assert sum(end > 0 for end in bench.broker.ends(["k"])["k"].values()) > 1


def test_jobs_with_different_declarations_of_one_topic_read_one_cut(bench: Bench) -> None:
    bench.sql("CREATE STREAM texts (symbol VARCHAR, x VARCHAR, timestamp TIMESTAMP) WITH ('topic' = 't')")
    bench.sql("START JOB numbers AS SELECT x FROM t")
    bench.sql("START JOB words AS SELECT x FROM texts")
    bench.produce("t", 30)
    bench.run()
    assert len(bench.ticker.readers()) == 1
    assert bench.column("numbers") == list(range(30))
    assert bench.column("words") == [str(i) for i in range(30)]


def test_a_link_that_fails_ends_neither_those_above_nor_those_below(bench: Bench) -> None:
    bench.sql(COPY.format("a", "t"))
    bench.sql("START JOB b AS SELECT SUM(x + 4611686018427387904) OVER (ORDER BY timestamp) AS s, timestamp FROM a")
    bench.sql("START JOB c AS SELECT s FROM b")
    bench.produce("t", 20)
    bench.run()
    states = {name: job.state for name, job in bench.ticker.jobs.items()}
    assert states == {"a": JobState.RUNNING, "b": JobState.FAILED, "c": JobState.RUNNING}
    assert bench.column("a") == list(range(20))


def test_a_publish_that_is_refused_shows_nothing_of_the_tick(bench: Bench) -> None:
    bench.sql(COPY.format("a", "t"))
    bench.sql(COPY.format("b", "a"))
    bench.broker.create_topic("b.dlq", partitions=2)  # not as the engine makes it
    bench.produce("t", 3)
    bench.run()
    bench.broker.produce("a", pa.array([b"{nonsense"], pa.binary()))
    bench.produce("t", 3, 3)
    bench.run()
    assert {job.state for job in bench.ticker.jobs.values()} == {JobState.FAILED}
    assert [len(bench.column("b")), bench.broker.topic("a").rows] == [3, 4]
    bench.broker.produce("a", pa.array([b"free again"], pa.binary()))
    assert bench.broker.topic("a").rows == 5
