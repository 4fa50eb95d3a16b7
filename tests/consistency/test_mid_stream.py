"""Readers hammer a session while transfers come in: whatever they see, no money is lost."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.consistency.transfers import STREAM, VIEWS, Transfer, balances, jobs, transfers
from tests.server.served import serve
from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.jobs.batch import run_files
from velostream_nb.jobs.session import Session


@pytest.fixture(params=["local", "remote"])
def s(request: pytest.FixtureRequest) -> Iterator[SessionLike]:
    if request.param == "local":
        with Session() as session:
            yield session
        return
    with serve() as served:
        remote = served.open()
        yield remote
        remote.close()


class Folded:
    """A topic as somebody sees it who only follows its frames."""

    def __init__(self) -> None:
        self.after: int | None = 0
        self.rows: list[dict[str, Any]] = []

    def take(self, frame: Frame) -> None:
        assert frame.skipped == 0
        self.after = frame.next
        for row in frame.deleted.to_pylist() if frame.deleted is not None else ():
            if frame.changelog == "upsert":
                self.rows = [old for old in self.rows if any(old[name] != row[name] for name in frame.key)]
            else:
                self.rows.remove(row)
        for row in frame.rows.to_pylist():
            if frame.changelog == "upsert":
                self.rows = [old for old in self.rows if any(old[name] != row[name] for name in frame.key)]
            self.rows.append(row)


def look_at_total(s: SessionLike) -> None:
    assert s.read("total").to_pylist() in ([], [{"total": 0}])
    assert s.query("SELECT SUM(balance) AS n FROM balances").to_pylist() in ([{"n": None}], [{"n": 0}])


def look_at_several_topics(s: SessionLike) -> None:
    """One pull query over four topics: all of one prefix of the input."""
    table = s.query("""
        SELECT COALESCE((SELECT SUM(credits) FROM credits), 0) AS came,
               COALESCE((SELECT SUM(debits) FROM debits), 0) AS went,
               (SELECT COUNT(*) FROM (
                    SELECT COALESCE(c.account, d.account) AS account,
                           COALESCE(credits, 0) - COALESCE(debits, 0) AS balance
                    FROM credits c FULL JOIN debits d ON c.account = d.account
                    EXCEPT SELECT account, balance FROM balances)) AS wrong""")
    (row,) = table.to_pylist()
    assert row["came"] == row["went"]
    assert row["wrong"] == 0


def look_at_frames(seen: dict[str, Folded]) -> Callable[[SessionLike], None]:
    def look(s: SessionLike) -> None:
        for topic, frame in s.frames({name: folded.after for name, folded in seen.items()}, limit=10**5).items():
            seen[topic].take(frame)
        came = sum(row["credits"] for row in seen["credits"].rows)
        assert came == sum(row["debits"] for row in seen["debits"].rows)
        assert sum(row["balance"] for row in seen["balances"].rows) == 0
        assert seen["total"].rows in ([], [{"total": 0}])

    return look


def hammer(s: SessionLike, rows: list[Transfer], looks: list[Callable[[SessionLike], None]]) -> list[int]:
    """Produce in chunks of any size while every look is taken again and again; how often each was."""
    done, faults = threading.Event(), []
    counts = [0] * len(looks)

    def watch(number: int) -> None:
        try:
            while not done.is_set() or not counts[number]:
                looks[number](s)
                counts[number] += 1
        except Exception as error:  # noqa: BLE001 (the test raises it where it can be seen)
            faults.append(error)
            done.set()

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(len(looks))]
    for thread in threads:
        thread.start()
    chance = random.Random(7)
    while rows and not done.is_set():
        taken = chance.choice([1, 3, 20, 200])
        s.produce("transfers", rows[:taken])
        rows = rows[taken:]
        if chance.random() < 0.1:
            s.drain(timeout=60)
    s.drain(timeout=60)
    done.set()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return counts


def test_no_reader_sees_a_total_that_is_not_zero(s: SessionLike) -> None:
    s.sql(STREAM.format(partitions=2))
    s.sql(jobs())
    rows = transfers(1_500, seed=1)
    seen = {name: Folded() for name in VIEWS}
    counts = hammer(s, rows, [look_at_total, look_at_several_topics, look_at_frames(seen)])
    assert min(counts) >= 3
    assert {row["account"]: row["balance"] for row in s.read("balances").to_pylist()} == balances(rows)
    look_at_frames(seen)(s)
    assert {row["account"]: row["balance"] for row in seen["balances"].rows} == balances(rows)


def test_views_that_are_started_mid_stream_show_nothing_wrong_either() -> None:
    with Session() as s:
        s.sql(STREAM.format(partitions=1))
        rows = transfers(4_000, seed=2)
        s.produce("transfers", rows[:2_500])
        for name in VIEWS:  # one by one: each has a backlog, and the others go on meanwhile
            s.sql(jobs(name))
            s.produce("transfers", rows[2_500 + 100 * list(VIEWS).index(name) :][:100])
        hammer(s, rows[2_900:], [look_at_total])
        assert {row["account"]: row["balance"] for row in s.read("balances").to_pylist()} == balances(rows)
        assert s.read("total").to_pylist() == [{"total": 0}]


def fold(rows: list[dict[str, Any]], key: str | None) -> list[dict[str, Any]]:
    """What a changelog file comes to, folded line by line."""
    kept: list[dict[str, Any]] = []
    for row in rows:
        op = row.pop("op")
        if key is not None:
            kept = [old for old in kept if old[key] != row[key]]
        elif op == "delete":
            kept.remove(row)
        if op != "delete":
            kept.append(row)
    return kept


@pytest.mark.parametrize("batch_rows", [13, 100_000])
def test_a_run_over_files_gives_what_a_session_gives(tmp_path: Path, batch_rows: int) -> None:
    rows = transfers(400, seed=3)
    (tmp_path / "transfers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    app = STREAM.format(partitions=1) + ";" + jobs()
    summary = run_files(app, {"transfers": tmp_path / "transfers.jsonl"}, sink_dir=tmp_path, batch_rows=batch_rows)
    assert summary.ok
    with Session() as s:
        s.sql(app)
        s.produce("transfers", rows)
        s.drain(final=True)
        for name in VIEWS:
            written = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
            key = {t.name: t.key for t in s.topics()}[name]
            assert all(row["op"] in ("upsert", "insert", "delete") for row in written)
            folded = fold(written, key[0] if key else None) if name != "total" else [{"total": written[-1]["total"]}]
            assert _sorted(folded) == _sorted(s.read(name).to_pylist())


def _sorted(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_partitions_that_fall_silent_do_not_hold_a_changelog_back(tmp_path: Path) -> None:
    with Session() as s:
        s.sql(STREAM.format(partitions=4))
        s.sql(jobs())
        rows = transfers(50, seed=4)
        s.produce("transfers", pa.Table.from_pylist(rows))  # no key: all in one partition, three are silent
        s.drain(timeout=30)
        assert {row["account"]: row["balance"] for row in s.read("balances").to_pylist()} == balances(rows)
