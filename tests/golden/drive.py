"""One golden case through a `Session`, with so many rows a tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tests.driven import DrivenSession, driven
from tests.engine.changelog import Changelog
from tests.golden.case import Case, Claims, Item, Step
from tests.golden.functions import define_all
from tests.golden.oracle import Answers, answers
from tests.golden.rows import canonical, rendered, table_lines
from velostream_nb.core.errors import VeloError
from velostream_nb.core.model import JobState
from velostream_nb.core.records import OP
from velostream_nb.sql.durations import parse_duration_us

LIMIT = 2**62
MOST_TICKS = 10_000


@dataclass
class Run:
    """What one run of a case gave."""

    claims: Claims
    folded: list[dict[str, list[str]]] = field(default_factory=list)
    """After each step, the rows that stand in each changelog topic, sorted."""
    changelogs: set[str] = field(default_factory=set)
    answers: Answers | None = None


class _Watch:
    """What jobs have written since the last look."""

    def __init__(self, session: DrivenSession) -> None:
        self.session = session
        self.seen: dict[str, int] = {}
        self.folded: dict[str, Changelog] = {}

    def topics(self) -> list[str]:
        for job in list(self.session.ticker.jobs.values()):
            for topic in (job.spec.output, job.spec.dead_letters):
                if topic and topic not in self.seen:
                    self.seen[topic] = 0
        return list(self.seen)

    def skip(self, topic: str) -> None:
        """What is in the topic now was not written by a job."""
        if topic in self.seen:
            self.seen[topic] = self.session.broker.read_range({topic: None}, 0)[topic][1]

    def look(self, where: str) -> dict[str, list[str]]:
        found = {}
        for topic in self.topics():
            if not self.session.broker.exists(topic):
                continue
            sets, self.seen[topic], _ = self.session.broker.read_range({topic: self.seen[topic]}, LIMIT)[topic]
            rows = [row for records in sets for row in _rows(records.payload)]
            if topic.endswith(".dlq"):
                rows = [{k: v for k, v in row.items() if k != "time"} for row in rows]
            if rows and "op" in rows[0]:
                schema = self.session.broker.schema(topic)
                assert schema is not None
                folded = self.folded.setdefault(topic, Changelog(schema.key))
                changes = [(row["op"], {k: v for k, v in row.items() if k != "op"}) for row in rows]
                folded.take(changes, f"{where}, {topic}")
            if rows:
                found[topic] = rendered(rows)
        return found


def _rows(payload: Any) -> list[dict[str, Any]]:
    assert isinstance(payload, pa.RecordBatch), f"jobs write typed rows, got {type(payload).__name__}"
    rows: list[dict[str, Any]] = payload.to_pylist()
    return [{"op": row.pop(OP), **row} if OP in row else row for row in rows]


class _Player:
    """Plays the steps of a case."""

    def __init__(self, case: Case, session: DrivenSession, per_tick: int | None) -> None:
        self.case = case
        self.session = session
        self.per_tick = per_tick
        self.watch = _Watch(session)
        self.claims = Claims([], {}, {}, [], [])
        self.pending = 0
        self.scripts = 0
        self.told: set[str] = set()
        self.out: dict[str, list[str]] = {}

    def play(self, step: Step, number: int) -> None:
        where = f"{self.case.name}, step {number}"
        self.out = {}
        actions = step.actions()
        for place, item in enumerate(actions):
            refused = place + 1 < len(actions) and actions[place + 1].kind == "error"
            self._act(item, where, refused)
        self._settle(where)
        if step.final:
            self.session.driver.drain(final=True)
            self._collect(where)
        self.claims.outs.append(self.out)
        self.claims.failed.append(self._failures())

    def _act(self, item: Item, where: str, refused: bool) -> None:
        if item.kind in ("in", "delete"):
            for line in item.data:
                self._arrive(item, line)
                self.pending += 1
                if self.pending == self.per_tick:
                    self._settle(where)
            return
        if item.kind in ("error", "failed"):
            return
        self._settle(where)
        if item.kind == "wait":
            self.session.clock.advance_us(parse_duration_us(item.name))
            self._settle(where)
        elif item.kind == "query":
            self.claims.queries.append(table_lines(self.session.query(item.name)))
        else:
            self._script("\n".join(item.data), refused)
            self._collect(where)

    def _script(self, text: str, refused: bool) -> None:
        try:
            self.session.sql(text)
        except VeloError as error:
            if not refused:
                raise
            self.claims.errors[self.scripts] = Item("error", type(error).__name__, str(error).splitlines())
        self.scripts += 1

    def _arrive(self, item: Item, line: str) -> None:
        session = self.session
        topic = session._catalog.topic(item.name)
        if item.kind == "delete":
            (row,) = [dict(canonical(line))]
            session.produce(item.name, [row], op="delete")
        elif item.partition is None:
            session.produce(item.name, [line.encode()])
        else:
            session.broker.produce(topic, pa.array([line.encode()], pa.binary()), partition=item.partition)
        self.watch.skip(topic)

    def _settle(self, where: str) -> None:
        self.pending = 0
        for _ in range(MOST_TICKS):
            if not self.session.tick():
                return
            self._collect(where)
        raise AssertionError(f"{where}: still busy after {MOST_TICKS} ticks")

    def _collect(self, where: str) -> None:
        for topic, lines in self.watch.look(where).items():
            self.out.setdefault(topic, []).extend(lines)

    def _failures(self) -> list[Item]:
        found = []
        for job in self.session.ticker.jobs.values():
            if job.state is JobState.FAILED and job.name not in self.told:
                self.told.add(job.name)
                found.append(Item("failed", job.name, str(job.error).splitlines()))
        return found


def run_case(case: Case, per_tick: int | None, *, with_answers: bool = False) -> Run:
    """Play a case with so many rows a tick (None: a step's rows at once)."""
    with driven() as session:
        define_all(session)
        player = _Player(case, session, per_tick)
        run = Run(player.claims)
        for number, step in enumerate(case.steps):
            player.play(step, number)
            run.folded.append({topic: sorted(rendered(f.rows())) for topic, f in player.watch.folded.items()})
        run.changelogs = set(player.watch.folded)
        player.claims.late = {info.name: info.late for info in session.jobs()}
        if with_answers:
            whole = {
                topic: rendered(player.watch.folded[topic].rows())
                if topic in player.watch.folded
                else [line for outs in player.claims.outs for line in outs.get(topic, ())]
                for topic in player.watch.seen
            }
            run.answers = answers(case, session, whole)
        return run
