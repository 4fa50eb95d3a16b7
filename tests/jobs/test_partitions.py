"""Topics of several partitions, through the session: watermarks, changelogs by key, idle partitions."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.core.clock import ManualClock
from velostream_nb.jobs.session import Session

PARTITIONS = 3
TRADES = "CREATE STREAM trades (symbol VARCHAR, qty BIGINT, timestamp TIMESTAMP) WITH ('partitions' = '3'{})"
WINDOWS = """START JOB windows AS SELECT window_end, COUNT(*) AS n, SUM(qty) AS qty FROM trades
             GROUP BY TUMBLE(timestamp, INTERVAL '10' SECOND)"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000_000_000)


@pytest.fixture
def broker(clock: ManualClock) -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker(clock)
    yield made
    made.close()


@pytest.fixture
def s(broker: EmbeddedBroker, clock: ManualClock) -> Iterator[Session]:
    with Session(broker, clock) as session:
        yield session


def send(broker: EmbeddedBroker, partition: int, rows: list[dict[str, Any]]) -> None:
    broker.produce("trades", pa.array([json.dumps(row).encode() for row in rows], pa.binary()), partition=partition)


def trade(second: float, qty: int = 1) -> dict[str, Any]:
    return {"symbol": "ABC"[qty % 3], "qty": qty, "timestamp": int(second * 1_000)}


def test_a_partition_that_trails_makes_no_row_of_its_own_late(s: Session, broker: EmbeddedBroker) -> None:
    s.sql(TRADES.format(""))
    s.sql(WINDOWS)
    chance = random.Random(5)
    waiting = {p: [trade(i * 0.5, i) for i in range(p, 300, PARTITIONS)] for p in range(PARTITIONS)}
    while any(waiting.values()):
        partition = chance.choices(range(PARTITIONS), weights=[9, 3, 1])[0]  # one runs far ahead of the last
        send(broker, partition, waiting[partition][:7])
        waiting[partition] = waiting[partition][7:]
        if chance.random() < 0.2:
            s.drain()
    s.drain(final=True)
    assert s.job_info("windows").late == 0
    expected = Counter[int]()
    for i in range(300):
        expected[int(i * 0.5) // 10] += i
    assert [row["qty"] for row in s.read("windows").to_pylist()] == [expected[w] for w in sorted(expected)]


def test_time_waits_for_a_partition_until_it_is_idle_and_takes_it_back_after(
    s: Session, broker: EmbeddedBroker, clock: ManualClock
) -> None:
    s.sql(TRADES.format(", 'idle.timeout' = '5s'"))
    s.sql(WINDOWS)
    s.sql("START JOB n AS SELECT COUNT(*) AS n FROM windows")
    for partition in (0, 1):
        send(broker, partition, [trade(1), trade(15)])
    s.drain()
    assert s.read("windows").num_rows == 0  # nothing is known of partition 2
    clock.advance_us(5_000_000)
    send(broker, 0, [trade(16)])
    send(broker, 1, [trade(16)])
    s.drain()
    while not s.read("windows").num_rows:  # silence is found by the clock, not by a record
        s.drain()
    assert s.read("windows")["n"].to_pylist() == [2]
    assert s.read("n").to_pylist() == [{"n": 1}]
    send(broker, 2, [trade(17)])
    send(broker, 0, [trade(30)])
    send(broker, 1, [trade(30)])
    s.drain()
    assert s.read("windows").num_rows == 1  # partition 2 counts again, and stands at 17 s
    send(broker, 2, [trade(31)])
    s.drain()
    assert s.read("windows")["n"].to_pylist() == [2, 5]


@pytest.mark.parametrize("kind", ["upsert", "retract"])
def test_a_changelog_in_several_partitions_is_read_as_one(s: Session, broker: EmbeddedBroker, kind: str) -> None:
    s.sql(TRADES.format(""))
    broker.create_topic("sums", partitions=PARTITIONS)
    s.sql(f"START JOB sums AS SELECT symbol, SUM(qty) AS qty FROM trades GROUP BY symbol WITH ('changelog' = '{kind}')")
    s.sql("START JOB top AS SELECT MAX(qty) AS qty, SUM(qty) AS total FROM sums")
    total = Counter[str]()
    for first in range(0, 60, 12):
        for i in range(first, first + 12):
            send(broker, i % PARTITIONS, [trade(i, i)])
            total["ABC"[i % 3]] += i
        s.drain()
        assert {row["symbol"]: row["qty"] for row in s.read("sums").to_pylist()} == dict(total)
        assert s.read("top").to_pylist() == [{"qty": max(total.values()), "total": total.total()}]
    used = sum(end > 0 for end in broker.ends(["sums"])["sums"].values())
    assert used == (1 if kind == "retract" else len({_partition(symbol) for symbol in total}))


def _partition(key: str) -> int:
    return zlib.crc32(key.encode()) % PARTITIONS
