"""The life of jobs as users ask for it: start, look, steer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from queue import SimpleQueue

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import (
    BindError,
    ConfigError,
    JobError,
    JobExistsError,
    JobFailedError,
    UnknownJobError,
    did_you_mean,
)
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import JobInfo, JobState, Result
from velostream_nb.core.settings import Level, check_options, option
from velostream_nb.jobs.catalog import Catalog, retention
from velostream_nb.jobs.outputs import output_schema
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sql.planner import plan_job, plan_query
from velostream_nb.sql.statements import Query, StartJob

LIVE = (JobState.STARTING, JobState.RUNNING, JobState.PAUSED)
"""States of a job that holds its name."""

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]{1,240}\Z")  # it begins the names of topics

ACTIONS = ("stop", "pause", "resume", "restart", "drop")


class JobControl:
    """Starts and steers the jobs of one session. Safe to use from any thread.

    Args:
        ticker: the session's jobs; only looked at here.
        runner: gives the thread that runs them, which starts with the first need.
        settings: the session's, as ``SET`` left them; shared with who sets them.
        functions: the Python functions that jobs may call.
    """

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        ticker: Ticker,
        runner: Callable[[], Commands],
        clock: Clock,
        settings: Mapping[str, str],
        functions: FunctionRegistry = FUNCTIONS,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._ticker = ticker
        self._runner = runner
        self._clock = clock
        self._settings = settings
        self.functions = functions

    def job(self, name: str) -> RunningJob:
        """The job of that name, exact first, then in any case; UnknownJobError with near names."""
        jobs = self._ticker.jobs
        found = jobs.get(name) or next((j for n, j in list(jobs.items()) if n.lower() == name.lower()), None)
        if found is None:
            raise UnknownJobError(f"unknown job {name!r}", hint=did_you_mean(name, list(jobs)) or "no job was started")
        return found

    def jobs(self) -> list[RunningJob]:
        return list(self._ticker.jobs.values())

    def info(self, job: RunningJob) -> JobInfo:
        """One look at a job."""
        totals, lag = job.totals, 0  # of one tick, though others may follow meanwhile
        if job.state in LIVE:
            for topic, offsets in totals.positions.items():
                if self._broker.exists(topic):
                    lag += max(0, self._broker.topic(topic).latest - sum(offsets.values()))
        return job.info(self._clock.now_us(), lag, totals)

    def act(self, name: str, action: str) -> JobInfo:
        """Carry out an action of `ACTIONS`; gives the job as it is then.

        Raises:
            ConfigError: no such action.
            UnknownJobError: no such job.
            JobError: the job's state does not allow it.
        """
        if action not in ACTIONS:
            raise ConfigError(f"unknown action {action!r}", hint=did_you_mean(action, ACTIONS))
        job = self.job(name)
        self._runner().call(lambda: _act(self._runner(), job, action))
        return self.info(job)

    def start(self, statement: StartJob) -> Result:
        """``START JOB``, ``CREATE STREAM … AS`` and ``INSERT INTO … SELECT``."""
        options = check_options(statement.options, Level.JOB)
        if not _JOB_NAME.match(statement.name):
            raise ConfigError(f"{statement.name!r} cannot name a job", hint="use letters, digits, dots, _ or -")
        self._check_name_free(statement.name, or_replace=statement.or_replace)
        plan = plan_job(statement, self._catalog, self._settings)
        output = self._catalog.topic(statement.output)
        spec = JobSpec(statement.name, statement.text, plan, output, self.start_position(options), self.functions)
        if output in spec.inputs:
            raise JobError(
                f"job {spec.name} would read its own output {output!r}", hint="choose another 'output.topic'"
            )
        self.launch(spec, options, or_replace=statement.or_replace)
        message = f"started job {spec.name}: {', '.join(spec.inputs)} -> {output}"
        return Result("job", "; ".join([message, *plan.notes]), job=spec.name)

    def launch(self, spec: JobSpec, options: Mapping[str, str], *, or_replace: bool = False) -> RunningJob:
        job, runner = RunningJob(spec, self._clock.now_us()), self._runner()

        def begin() -> None:
            self._check_name_free(spec.name, or_replace=or_replace)
            runner.ticker.start(job, ready=lambda: self._prepare_output(job, options, or_replace=or_replace))

        runner.call(begin)
        return job

    def _prepare_output(self, job: RunningJob, options: Mapping[str, str], *, or_replace: bool) -> None:
        """Make the output topic, or check that the job's columns fit the one there is.

        ``OR REPLACE`` empties the topic, as it does a table elsewhere, unless others have written or read it.
        """
        topic, schema = job.spec.output, output_schema(job.engine.output_schema, job.engine.key, job.engine.changelog)
        if not topic:
            return
        declared = self._catalog.owner(topic)
        if declared is not None:
            extra = [n for n in schema.names if n not in declared.schema.names]
            if extra:
                raise BindError(
                    f"stream {declared.name} has no column {extra[0]!r} that job {job.name} writes",
                    hint=did_you_mean(extra[0], declared.schema.names),
                )
            return
        others = [j for j in self.jobs() if j.name != job.name and j.state in LIVE and j.spec.output == topic]
        known = self._broker.schema(topic) if self._broker.exists(topic) else None
        if others and known is not None and known.columns != schema.columns:
            raise BindError(
                f"job {others[0].name} writes {topic!r} with other columns: {', '.join(known.names)}",
                hint="give both queries the same columns and types, or choose another 'output.topic'",
            )
        if or_replace and not others and self._only_writer(job.name, topic):
            self._broker.delete_topic(topic)
        if self._broker.exists(topic):
            self._broker.set_schema(topic, schema)
        else:
            self._broker.create_topic(topic, retention=retention(options), schema=schema)

    def _only_writer(self, name: str, topic: str) -> bool:
        """Has all that ever was in the topic come from the job of that name, and does no other job read it?"""
        job = self._ticker.jobs.get(name)
        if job is None or job.spec.output != topic or not self._broker.exists(topic):
            return False
        read = any(topic in j.spec.inputs for j in self.jobs() if j is not job and j.state in LIVE)
        return not read and self._broker.topic(topic).latest == job.totals.rows_out

    def _check_name_free(self, name: str, *, or_replace: bool) -> None:
        known = self._ticker.jobs.get(name)
        if known is not None and known.state in LIVE and not or_replace:
            raise JobExistsError(
                f"job {name} is {known.state.value} already",
                hint=f"STOP JOB {name} first, or write CREATE OR REPLACE STREAM {name} AS SELECT …",
            )

    def start_position(self, options: Mapping[str, str]) -> str:
        return (option("auto.offset.reset", options, self._settings) or "earliest").lower()

    def first_rows(self, query: Query, name: str, text: str, limit: int) -> pa.Table:
        """Run an unnamed job until it has given `limit` rows. Waits for them as long as it takes."""
        plan = plan_query(query, self._catalog, self._settings)
        spec = JobSpec(name, text, plan, "", self.start_position({}), self.functions)
        arrived: SimpleQueue[pa.Table | None] = SimpleQueue()
        runner = self._runner()
        if runner.on_engine():
            raise JobError("a query with LIMIT would wait for the thread it is called from", hint="start it as a job")
        with runner.hold():
            job = self.launch(spec, {})
            job.watch(arrived.put)
        try:
            return _collect(arrived, job, limit)
        finally:
            if runner.alive:
                runner.call(lambda: runner.ticker.drop(job))


def _act(runner: Commands, job: RunningJob, action: str) -> None:
    """One action, on the engine's thread."""
    allowed = {
        "pause": (JobState.RUNNING, JobState.PAUSED),
        "resume": (JobState.RUNNING, JobState.PAUSED),
        "stop": tuple(JobState),
        "restart": tuple(JobState),
        "drop": tuple(JobState),
    }
    if job.state not in allowed[action]:
        raise JobError(
            f"cannot {action} job {job.name}: it is {job.state.value}", hint=f"RESTART JOB {job.name} begins anew"
        )
    if action == "pause" and job.state is JobState.RUNNING:
        runner.ticker.pause(job)
    elif action == "resume" and job.state is JobState.PAUSED:
        runner.ticker.resume(job)
    elif action == "stop" and job.state in LIVE:
        runner.ticker.stop(job)
    elif action == "restart":
        runner.ticker.restart(job)
    elif action == "drop":
        runner.ticker.drop(job)


def _collect(arrived: SimpleQueue[pa.Table | None], job: RunningJob, limit: int) -> pa.Table:
    tables: list[pa.Table] = []
    rows = 0
    while rows < limit:
        table = arrived.get()
        if table is None:
            if job.error is not None:
                raise JobFailedError(job.error.message, hint=job.error.hint) from job.error
            break
        tables.append(table)
        rows += table.num_rows
    return pa.concat_tables(tables).slice(0, limit) if tables else pa.table({})
