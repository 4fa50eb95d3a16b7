"""What a cell of SQL does: expand, compare with what runs already, run, and report statement by statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from velostream_nb.core.errors import ConfigError, VeloError
from velostream_nb.core.model import JobInfo, Result
from velostream_nb.notebook.expand import expand, parameters
from velostream_nb.notebook.rerun import LIVE, Action, History, Step, decide, edit
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import Explain, Push, StartJob, Statement

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session


@dataclass(frozen=True, slots=True)
class Report:
    """What one statement did.

    Attributes:
        message: one line for people.
        job: a job that the statement started, kept or replaced; None for every other statement.
        news: does the message say more than the job's card?
        table: rows to show.
        plan: the rows are lines of a plan.
    """

    message: str
    job: str | None = None
    news: bool = True
    table: pa.Table | None = None
    plan: bool = False


class Cells:
    """Runs the SQL of cells on one session, and remembers which jobs they started.

    Does not keep the session alive: whoever calls passes the same one each time.
    """

    def __init__(self) -> None:
        self._history = History()
        self._unnamed: dict[str, list[str]] = {}
        self._inserts: dict[str, list[str]] = {}

    def run(
        self,
        session: Session,
        text: str,
        namespace: Mapping[str, object],
        done: list[Report],
        *,
        cell: str | None = None,
    ) -> None:
        """Run all statements of a text in order.

        Args:
            namespace: the user's variables, for ``{{name}}`` and ``$name``.
            done: gets one report a statement. When a statement fails, those before it that started a job.
            cell: tells cells apart: unnamed queries of a cell end when it is run with another text.

        Raises:
            VeloError: of the first statement that fails, with its place in the text after expansion.
            ConfigError: there is no statement.
        """
        text = expand(text, namespace)
        params = parameters(text, namespace)
        script = parse(text, params=params)
        if not script.statements:
            raise ConfigError("there is no statement to run", hint="for example SHOW TOPICS; see also %velo help")
        starting = any(map(_starts, script.statements))
        before = session.jobs() if starting else []
        unnamed = self._unnamed.get(cell or "", [])
        mine = [*unnamed, *self._inserts.get(cell or "", [])]
        steps = decide(script, before, self._history, mine)
        try:
            results = _results(session, text, steps, params)
        except VeloError:
            self._note_started(session, steps, before, done)
            raise
        for step, result in zip(steps, results, strict=True):
            done.append(_report(step, result))
        if starting:
            self._note_all(session, steps, done)
        if cell is not None:
            pairs = list(zip(steps, done, strict=True))
            self._inserts[cell] = [r.job for s, r in pairs if _is_insert(s.statement) and r.job is not None]
            self._end_unnamed(session, cell, unnamed, steps, done)

    def _note_all(self, session: Session, steps: Sequence[Step], done: Sequence[Report]) -> None:
        now = {job.name: job for job in session.jobs()}
        for step, report in zip(steps, done, strict=True):
            if step.action is not Action.ATTACH and report.job in now:
                self._history.note(now[report.job], step.statement)

    def _note_started(
        self,
        session: Session,
        steps: Sequence[Step],
        before: Sequence[JobInfo],
        done: list[Report],
    ) -> None:
        """A statement failed: find the jobs that those before it have started all the same."""
        # an INSERT has the name that it was given at its start, which nobody told
        named = [step for step in steps if isinstance(step.statement, StartJob) and not step.statement.insert]
        names = {step.statement.name: step for step in named if isinstance(step.statement, StartJob)}
        if not names:
            return
        known = {(job.name, job.started_us) for job in before}
        for job in session.jobs():
            if job.name in names and (job.name, job.started_us) not in known:
                self._history.note(job, names[job.name].statement)
                done.append(Report(f"started job {job.name}", job=job.name, news=False))

    def _end_unnamed(
        self, session: Session, cell: str, before: Sequence[str], steps: Sequence[Step], done: list[Report]
    ) -> None:
        """Drop the queries that this cell's earlier text had started and this one has not."""
        now = [r.job for s, r in zip(steps, done, strict=True) if isinstance(s.statement, Push) and r.job is not None]
        self._unnamed[cell] = now
        running = {job.name for job in session.jobs() if job.state in LIVE} if before else set()
        for name in before:
            if name not in now and name in running:
                session.control(name, "drop")
                done.append(Report(f"dropped {name}, which an earlier run of this cell had started"))


def _results(session: Session, text: str, steps: Sequence[Step], params: Mapping[str, object]) -> list[Result | None]:
    """One result a step; None for attached ones, which are not run."""
    edited = edit(text, steps)
    running = [step for step in steps if step.action is not Action.ATTACH]
    try:
        results = iter(session.sql(edited.text, params=params) if running else [])
    except VeloError as error:
        edited.restore(error)
        raise
    return [None if step.action is Action.ATTACH else next(results) for step in steps]


def _starts(statement: Statement) -> bool:
    """May it start a job that goes on after the cell?"""
    return isinstance(statement, StartJob) or (isinstance(statement, Push) and statement.query.limit is None)


def _is_insert(statement: Statement) -> bool:
    return isinstance(statement, StartJob) and statement.insert


def _report(step: Step, result: Result | None) -> Report:
    if step.action is Action.ATTACH:
        assert step.job is not None  # by `decide`
        return Report(f"job {step.job.name} runs with this text already: {_state_of(step.job)}", job=step.job.name)
    assert result is not None  # by `_results`
    if not _starts(step.statement):
        plan = isinstance(step.statement, Explain) and step.statement.form == "text"
        return Report(result.message, table=result.table, plan=plan)
    if step.action is Action.REPLACE:
        assert step.job is not None  # by `decide`
        started = result.message.removeprefix("started job ")
        return Report(f"replaced job {started}", job=result.job)
    return Report(result.message, job=result.job, news=False)


def _state_of(job: JobInfo) -> str:
    return "it is paused" if job.state.value == "paused" else "kept as it is"
