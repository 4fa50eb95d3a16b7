"""The views agree after every tick, however the jobs were started, paused and restarted between them."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.consistency.transfers import STREAM, VIEWS, Transfer, balances, jobs, transfers
from tests.jobs.bench import Bench
from velostream_nb.brokers.contract import Retention
from velostream_nb.core.model import JobState
from velostream_nb.jobs.ingest import to_outputs
from velostream_nb.jobs.intake import BatchSize

ORDER = tuple(VIEWS)


class Ledger(Bench):
    """The transfers' bench; `check` looks at what any reader could see now."""

    def __init__(self, rows: int, partitions: int) -> None:
        super().__init__(BatchSize(rows=rows, least=1, most=rows, target_us=None))
        self.sql(STREAM.format(partitions=partitions))
        self.partitions = partitions
        self.given: list[Transfer] = []

    def give(self, rows: list[Transfer], chance: random.Random) -> None:
        self.given += rows
        for output in to_outputs("transfers", rows):
            self.broker.produce("transfers", output.payload, partition=chance.randrange(self.partitions))

    def check(self) -> None:
        known = {name: name for name in ORDER if self.broker.exists(name)}
        tables = self.looker.tables(known)
        if "total" in tables:
            assert tables["total"].to_pylist() in ([], [{"total": 0}])
        if "balances" in tables:
            assert sum(row["balance"] for row in tables["balances"].to_pylist()) == 0
            shown = {row["account"]: row["balance"] for row in tables["balances"].to_pylist()}
            assert len(shown) == tables["balances"].num_rows
            if self.visible("credits") and self.visible("debits") and self.visible("balances"):
                assert shown == _balances(tables["credits"], tables["debits"])
        if self.visible("credits") and self.visible("debits"):
            assert sum(_balances(tables["credits"], tables["debits"]).values()) == 0

    def visible(self, name: str) -> bool:
        """Whether a view is there and goes with the others: it is not paused, and through with catching up."""
        job = self.ticker.jobs.get(name)
        return job is not None and job.state is JobState.RUNNING and job.arrived and not job.withholds

    def settle(self) -> None:
        """Tick to the end, checking all the way."""
        while self.ticker.tick():
            self.check()
        assert self.looker.table("total").to_pylist() == [{"total": 0}]
        shown = self.looker.table("balances").to_pylist()
        assert {row["account"]: row["balance"] for row in shown} == balances(self.given)


def _balances(came: pa.Table, went: pa.Table) -> dict[str, int]:
    found = {row["account"]: row["credits"] for row in came.to_pylist()}
    for row in went.to_pylist():
        found[row["account"]] = found.get(row["account"], 0) - row["debits"]
    return found


@pytest.mark.parametrize(("rows", "partitions"), [(1, 1), (7, 1), (7, 3), (50, 2)])
def test_views_started_together_agree_from_the_first_tick(rows: int, partitions: int) -> None:
    chance = random.Random(rows)
    ledger = Ledger(rows, partitions)
    ledger.sql(jobs())
    given = transfers(min(120, 40 * rows), seed=rows)
    while given:
        taken = chance.randint(1, 20)
        ledger.give(given[:taken], chance)
        given = given[taken:]
        ledger.ticker.tick()
        ledger.check()
    ledger.settle()


@pytest.mark.parametrize("seed", range(3))
def test_views_started_one_by_one_agree_while_they_catch_up(seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger(rows=10, partitions=1 + seed)
    ledger.give(transfers(150, seed), chance)
    for i, name in enumerate(ORDER):
        ledger.sql(jobs(name))
        for step in range(8):
            ledger.give(transfers(5, seed + step, first=150 + 40 * i + 5 * step), chance)
            ledger.ticker.tick()
            ledger.check()
    ledger.settle()
    assert len(ledger.ticker.readers()) == 4


@pytest.mark.parametrize("seed", range(3))
def test_views_agree_whatever_is_paused_and_restarted(seed: int) -> None:
    chance = random.Random(seed)
    ledger = Ledger(rows=9, partitions=1 + seed % 2)
    ledger.sql(jobs())
    for first in range(0, 200, 10):
        ledger.give(transfers(10, seed + first, first=first), chance)
        job = ledger.ticker.jobs[chance.choice(ORDER)]
        match chance.choice(["pause", "restart", "go on", "go on"]):
            case "pause" if job.state is JobState.RUNNING and job.name in ("balances", "total"):
                ledger.ticker.pause(job)
            case "restart":
                ledger.ticker.restart(job)
        ledger.ticker.tick()
        ledger.check()
        for paused in ledger.ticker.jobs.values():
            if paused.state is JobState.PAUSED and chance.random() < 0.5:
                ledger.ticker.resume(paused)
    for paused in ledger.ticker.jobs.values():
        if paused.state is JobState.PAUSED:
            ledger.ticker.resume(paused)
    ledger.settle()


def test_views_outlive_what_their_topics_retain() -> None:
    chance = random.Random(3)
    ledger = Ledger(rows=20, partitions=1)
    for name in ("credits", "debits", "balances"):
        ledger.broker.create_topic(name, retention=Retention(rows=30))
    ledger.sql(jobs("credits", "debits"))
    for first in range(0, 600, 20):
        ledger.give(transfers(20, 3, first=first), chance)
        ledger.ticker.tick()
        ledger.check()
    assert ledger.broker.topic("credits").earliest > 0
    assert ledger.broker.topic("credits").rows < ledger.broker.topic("credits").latest // 3
    ledger.sql(jobs("balances", "total"))  # all they can read is what was kept
    for first in range(600, 800, 20):
        ledger.give(transfers(20, 3, first=first), chance)
        ledger.ticker.tick()
        ledger.check()
    ledger.settle()
    assert all(job.lost == 0 for job in ledger.ticker.jobs.values())


def test_a_backlog_of_a_joined_link_is_never_read_in_part() -> None:
    chance = random.Random(1)
    ledger = Ledger(rows=5, partitions=1)
    ledger.sql(jobs("credits", "debits"))
    for first in range(0, 200, 20):
        ledger.give(transfers(20, first, first=first), chance)
        while ledger.ticker.tick():
            pass
    assert ledger.broker.topic("credits").rows > 50  # ten times what one poll takes
    ledger.sql(jobs("balances", "total"))
    ledger.ticker.tick()
    ledger.check()
    assert ledger.looker.table("total").num_rows == 1
    ledger.settle()


def test_a_state_of_two_rows_a_fact_is_never_seen_with_one_of_them() -> None:
    chance = random.Random(2)
    ledger = Ledger(rows=3, partitions=1)
    ledger.sql(
        "START JOB legs AS SELECT to_account AS account, amount, ts FROM transfers "
        "UNION ALL SELECT from_account, -amount, ts FROM transfers"
    )
    ledger.give(transfers(50, 2), chance)
    ledger.run()
    ledger.sql("START JOB sum_of_legs AS SELECT SUM(amount) AS total FROM legs")
    for first in range(50, 80, 5):
        ledger.give(transfers(5, 2, first=first), chance)
        while ledger.ticker.tick():
            assert ledger.looker.table("sum_of_legs").to_pylist() in ([], [{"total": 0}])
    assert ledger.looker.table("sum_of_legs").to_pylist() == [{"total": 0}]
