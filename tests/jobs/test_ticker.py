"""One tick at a time, without a thread: sharing, catching up, alignment, idleness, backpressure."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.jobs.bench import STREAM, Bench
from velostream_nb.brokers.contract import Retention
from velostream_nb.core.errors import JobError
from velostream_nb.core.model import JobState
from velostream_nb.jobs.feeds import ALIGN_SLACK_US
from velostream_nb.jobs.ingest import to_outputs
from velostream_nb.jobs.intake import BatchSize

COPY = "START JOB {0} AS SELECT x FROM t"


@pytest.fixture
def bench() -> Bench:
    made = Bench(BatchSize(rows=100, least=10, most=100))
    made.sql(STREAM)
    return made


def test_jobs_at_one_position_share_a_reader_and_one_decoding(bench: Bench) -> None:
    for name in "abc":
        bench.sql(COPY.format(name))
    bench.produce("t", 50)
    bench.run()
    assert len(bench.ticker.readers()) == 1
    assert bench.codec.rows == 50
    assert bench.column("a") == bench.column("b") == bench.column("c") == list(range(50))


def test_a_latecomer_reads_alone_until_it_has_caught_up_and_shares_from_then_on(bench: Bench) -> None:
    bench.sql(COPY.format("early"))
    bench.produce("t", 450)
    bench.run()
    late = bench.sql(COPY.format("late"))
    assert len(bench.ticker.readers()) == 2
    for first in range(450, 600, 30):  # the topic goes on meanwhile
        bench.produce("t", 30, first)
        bench.ticker.tick()
    bench.run()
    assert len(bench.ticker.readers()) == 1
    assert bench.column("late") == bench.column("early") == list(range(600))
    decoded = bench.codec.rows
    bench.produce("t", 50, 600)
    bench.run()
    assert bench.codec.rows == decoded + 50
    assert late.totals.rows_in == 650


def test_latecomers_join_without_losing_a_record_in_any_partition() -> None:
    bench = Bench(BatchSize(rows=40, least=10, most=40))
    bench.sql(STREAM + " WITH ('partitions' = '3')")
    bench.sql(COPY.format("early"))
    for first in range(0, 300, 10):
        bench.produce("t", 10, first, partition=(first // 10) % 3)
    bench.run()
    bench.sql(COPY.format("late"))
    for first in range(300, 600, 10):
        bench.produce("t", 10, first, partition=(first // 10) % 3)
        bench.ticker.tick()
    bench.run()
    assert len(bench.ticker.readers()) == 1
    assert sorted(bench.column("late")) == sorted(bench.column("early")) == list(range(600))


def test_a_job_of_two_topics_joins_others_only_when_both_are_near(bench: Bench) -> None:
    bench.sql("CREATE STREAM u (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)")
    bench.sql("START JOB other AS SELECT x FROM u")
    bench.sql(COPY.format("one"))
    bench.produce("t", 1_000)
    bench.produce("u", 50)
    bench.run()
    bench.sql("START JOB both AS SELECT t.x AS x, u.x AS y FROM t JOIN u ON t.symbol = u.symbol AND t.x = u.x")
    bench.ticker.tick()
    assert len(bench.ticker.readers()) == 4
    bench.run()
    assert len(bench.ticker.readers()) == 2
    assert bench.ticker.jobs["both"].totals.rows_in == 1_050


def test_pause_keeps_the_position_and_the_others_go_on(bench: Bench) -> None:
    first, second = bench.sql(COPY.format("first")), bench.sql(COPY.format("second"))
    bench.produce("t", 30)
    bench.run()
    bench.ticker.pause(first)
    bench.produce("t", 30, 30)
    bench.run()
    assert (first.totals.rows_in, second.totals.rows_in) == (30, 60)
    bench.ticker.resume(first)
    bench.run()
    assert bench.column("first") == list(range(60))
    assert len(bench.ticker.readers()) == 1


def test_a_topic_far_behind_in_event_time_holds_the_others_back() -> None:
    bench = Bench(BatchSize(rows=50, least=10, most=50))
    bench.sql("CREATE STREAM slow (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)")
    bench.sql("CREATE STREAM fast (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)")
    bench.produce("slow", 500)
    for i in range(500):  # the same span of event time in ten times as many records
        bench.broker.publish(to_outputs("fast", [{"symbol": "A", "x": i, "timestamp": i * 1_000}] * 10))
    job = bench.sql("START JOB j AS SELECT s.x FROM slow s JOIN fast f ON s.x = f.x AND s.timestamp = f.timestamp")
    worst = 0
    while bench.ticker.tick():
        offsets = job.totals.positions
        slow_s, fast_s = offsets["slow"][0], offsets["fast"][0] // 10
        if slow_s < 500 and fast_s < 500:
            worst = max(worst, abs(slow_s - fast_s))
    assert job.totals.rows_in == 5_500
    assert worst <= ALIGN_SLACK_US // 1_000_000 + 51


def test_feeds_no_job_reads_together_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.sql("CREATE STREAM u (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)")
    bench.sql(COPY.format("a"))
    bench.sql("START JOB b AS SELECT x FROM u")
    bench.produce("t", 500)
    bench.produce("u", 100, first=10**6)
    bench.ticker.tick()
    assert bench.ticker.jobs["b"].totals.rows_in == 100


def test_an_idle_partition_stops_holding_the_watermark_back() -> None:
    bench = Bench()
    bench.sql(STREAM + " WITH ('partitions' = '2', 'idle.timeout' = '5s')")
    job = bench.sql(
        "START JOB w AS SELECT symbol, COUNT(*) AS n FROM t GROUP BY symbol, TUMBLE(timestamp, INTERVAL '10' SECOND)"
    )
    bench.produce("t", 1, partition=1)
    bench.produce("t", 40, partition=0)
    bench.run()
    assert job.totals.rows_out == 0
    bench.clock.advance_us(3_000_000)
    bench.produce("t", 1, first=41, partition=0)
    bench.run()
    bench.clock.advance_us(1_999_999)
    assert not bench.ticker.tick()
    assert job.totals.rows_out == 0
    bench.clock.advance_us(1)  # partition 1 has now been silent for five seconds, partition 0 for two
    assert bench.ticker.tick()
    assert job.totals.rows_out == 8
    assert not bench.ticker.tick()
    before = job.totals.watermark_us
    bench.produce("t", 1, first=20, partition=1)  # it comes back, late
    bench.run()
    assert job.totals.watermark_us >= before


def test_batches_grow_with_the_backlog_and_shrink_when_ticks_take_long() -> None:
    size = BatchSize(rows=1_000, least=500, most=8_000, target_us=100_000)
    size.adapt(10_000, full=False)
    assert size.rows == 1_000
    for _ in range(5):
        size.adapt(10_000, full=True)
    assert size.rows == 8_000
    size.adapt(150_000, full=True)
    assert size.rows == 8_000
    for _ in range(9):
        size.adapt(300_000, full=True)
    assert size.rows == 500


def test_backpressure_holds_inputs_while_an_output_waits_to_be_read() -> None:
    bench = Bench(BatchSize(rows=50, most=50, target_us=None), backpressure=True)
    bench.sql(STREAM)
    bench.sql("START JOB a AS SELECT x, timestamp FROM t")
    bench.sql("START JOB many AS SELECT l.x FROM a l JOIN a r ON l.timestamp = r.timestamp")
    bench.sql("START JOB last AS SELECT x FROM many")
    for _ in range(4):
        bench.broker.publish(to_outputs("t", [{"symbol": "A", "x": i, "timestamp": 5_000} for i in range(40)]))
    worst = 0
    while bench.ticker.tick():
        waiting = bench.broker.topic("many").latest - bench.ticker.jobs["last"].totals.rows_in
        worst = max(worst, waiting)
    assert bench.ticker.jobs["last"].totals.rows_in == bench.ticker.jobs["many"].totals.rows_out > 10_000
    assert worst < bench.ticker.jobs["many"].totals.rows_out


def test_records_lost_to_retention_are_told() -> None:
    bench = Bench(BatchSize(rows=10, most=10, target_us=None))
    bench.broker.create_topic("t", retention=Retention(rows=20))
    bench.sql(STREAM)
    job = bench.sql(COPY.format("slow"))
    for first in range(0, 100, 10):
        bench.produce("t", 10, first)
    bench.run()
    assert job.lost == 80
    assert "80 records were gone" in job.info(0, 0, job.totals).notes[-1]


def test_a_deleted_topic_fails_its_readers_and_nobody_else(bench: Bench) -> None:
    bench.sql("CREATE STREAM u (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)")
    doomed, fine = bench.sql(COPY.format("doomed")), bench.sql("START JOB fine AS SELECT x FROM u")
    bench.produce("t", 5)
    bench.run()
    bench.broker.delete_topic("t")
    bench.produce("u", 5)
    bench.run()
    assert (doomed.state, fine.state, fine.totals.rows_in) == (JobState.FAILED, JobState.RUNNING, 5)
    assert doomed.error is not None
    assert "job doomed failed: topic 't' was deleted" in doomed.error.message
    assert doomed.totals.positions == {"t": {0: 5}}


def test_a_broker_that_refuses_an_output_fails_the_jobs_of_that_tick(bench: Bench) -> None:
    job = bench.sql(COPY.format("copy"))
    bench.broker.create_topic("copy.dlq", partitions=2)  # not as the engine makes it
    bench.broker.produce("t", pa.array([b"{nonsense"], pa.binary()))
    bench.run()
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "2 partitions" in job.error.message


def test_circles_are_refused_and_named(bench: Bench) -> None:
    bench.sql("START JOB a AS SELECT x, timestamp FROM t")
    bench.sql("START JOB b AS SELECT x, timestamp FROM a")
    with pytest.raises(JobError, match=r"job c would read its own output: .*a"):
        bench.sql("START JOB c AS SELECT x, timestamp FROM b WITH ('output.topic' = 'a')")
    assert [[job.name for job in level] for level in bench.ticker.levels()] == [["a"], ["b"]]
