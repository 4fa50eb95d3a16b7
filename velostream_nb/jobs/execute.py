"""What each statement does: SQL text in, `Result`s out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import groupby
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
    ParseError,
    UnknownJobError,
    UnknownTopicError,
    UnsupportedError,
    did_you_mean,
)
from velostream_nb.core.model import JobInfo, JobState, Result
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.settings import Level, check_options, option
from velostream_nb.core.types import column_types
from velostream_nb.engine.explain import explain
from velostream_nb.engine.pull import pull
from velostream_nb.jobs import show
from velostream_nb.jobs.catalog import Catalog, retention
from velostream_nb.jobs.outputs import output_schema
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan
from velostream_nb.sql.planner import plan_job, plan_query
from velostream_nb.sql.statements import (
    ControlJob,
    CreateStream,
    Describe,
    DropStream,
    Explain,
    Pull,
    Push,
    Query,
    SetOption,
    Show,
    StartJob,
    Statement,
)

LIVE = (JobState.STARTING, JobState.RUNNING, JobState.PAUSED)
"""States of a job that holds its name."""

_JOB_NAME = re.compile(r"[A-Za-z0-9._-]{1,240}\Z")  # it begins the names of topics

ACTIONS = ("stop", "pause", "resume", "restart", "drop")


class Executor:
    """Runs statements of one session. Safe to use from any thread.

    Args:
        ticker: the session's jobs; only looked at here.
        runner: gives the thread that runs them, which starts with the first need.
    """

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        looker: Looker,
        ticker: Ticker,
        runner: Callable[[], Commands],
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._looker = looker
        self._runner = runner
        self._ticker = ticker
        self._clock = clock
        self._settings: dict[str, str] = {}
        self._handlers: Mapping[type[Statement], Callable[..., Result]] = {
            CreateStream: self._create,
            StartJob: self.start,
            ControlJob: self._control,
            DropStream: self._drop_stream,
            Show: self._show,
            Describe: self._describe,
            Explain: self._explain,
            SetOption: self._set,
            Pull: self._pull,
            Push: self._push,
        }

    def run(self, text: str, params: Mapping[str, object]) -> list[Result]:
        """Run all statements in order. The jobs of one text start from one cut of their inputs."""
        script = parse(text, params=params or None)
        results = []
        for waits, statements in groupby(script.statements, key=_waits):
            starts = list(statements)
            holding = any(isinstance(s, StartJob) for s in starts) and not waits
            with self._runner().hold() if holding else nullcontext():
                results += [self._handlers[type(s)](s) for s in starts]
        return results

    def query(self, text: str) -> pa.Table:
        """The rows of one statement that gives some.

        Raises:
            UnsupportedError: it is not one statement, or one that gives no rows or would never end.
        """
        statements = parse(text).statements
        if len(statements) != 1:
            raise UnsupportedError(f"query() takes one SELECT, got {len(statements)} statements", hint="use sql()")
        (statement,) = statements
        if isinstance(statement, Push) and statement.query.limit is None:
            raise UnsupportedError("this query never ends", hint="add LIMIT n, or run it with sql() as a job")
        if not isinstance(statement, Pull | Push | Show | Describe | Explain):
            raise UnsupportedError("query() takes a SELECT, SHOW, DESCRIBE or EXPLAIN", hint="use sql()")
        table = self._handlers[type(statement)](statement).table
        assert table is not None
        return table

    # -- jobs -------------------------------------------------------------------------------------------------------

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
        lag = 0
        if job.state in LIVE:
            for topic, offsets in list(job.totals.positions.items()):
                if self._broker.exists(topic):
                    lag += max(0, self._broker.topic(topic).latest - sum(offsets.values()))
        return job.info(self._clock.now_us(), lag)

    def control(self, name: str, action: str) -> JobInfo:
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
        spec = JobSpec(statement.name, statement.text, plan, output, self._start_position(options))
        if output in spec.inputs:
            raise JobError(
                f"job {spec.name} would read its own output {output!r}", hint="choose another 'output.topic'"
            )
        self._launch(spec, options, or_replace=statement.or_replace)
        message = f"started job {spec.name}: {', '.join(spec.inputs)} -> {output}"
        return Result("job", "; ".join([message, *plan.notes]), job=spec.name)

    def _launch(self, spec: JobSpec, options: Mapping[str, str], *, or_replace: bool = False) -> RunningJob:
        job, runner = RunningJob(spec, self._clock.now_us()), self._runner()

        def begin() -> None:
            self._check_name_free(spec.name, or_replace=or_replace)
            runner.ticker.start(job, ready=lambda: self._prepare_output(job, options))

        runner.call(begin)
        return job

    def _prepare_output(self, job: RunningJob, options: Mapping[str, str]) -> None:
        """Make the output topic, or check that the job's columns fit the one there is."""
        topic, schema = job.spec.output, output_schema(job.engine.output_schema, job.engine.key)
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
        if self._broker.exists(topic):
            self._broker.set_schema(topic, schema)
        else:
            self._broker.create_topic(topic, retention=retention(options), schema=schema)

    def _check_name_free(self, name: str, *, or_replace: bool) -> None:
        known = self._ticker.jobs.get(name)
        if known is not None and known.state in LIVE and not or_replace:
            raise JobExistsError(
                f"job {name} is {known.state.value} already",
                hint=f"STOP JOB {name} first, or write CREATE OR REPLACE STREAM {name} AS SELECT …",
            )

    def _start_position(self, options: Mapping[str, str]) -> str:
        return (option("auto.offset.reset", options, self._settings) or "earliest").lower()

    def _control(self, statement: ControlJob) -> Result:
        info = self.control(statement.name, statement.action)
        done = "dropped" if statement.action == "drop" else info.state.value
        return Result("message" if statement.action == "drop" else "job", f"job {info.name} is {done}", job=info.name)

    # -- queries ----------------------------------------------------------------------------------------------------

    def _pull(self, statement: Pull) -> Result:
        table = pull(statement.query, self._retained(statement), now_us=self._clock.now_us())
        return Result("table", f"{table.num_rows} rows", table=table)

    def _retained(self, statement: Pull) -> dict[str, pa.Table]:
        topics = {name: self._catalog.topic(name) for name in statement.names}
        for name, topic in topics.items():
            if not self._broker.exists(topic):
                self._catalog.stream(name)  # raises, with near names
        return self._looker.tables(topics)

    def _push(self, statement: Push) -> Result:
        names = {job.name for job in self.jobs()}
        name = next(n for i in range(1, len(names) + 2) if (n := f"query_{i}") not in names)
        if statement.query.limit is not None:
            table = self._first_rows(statement.query, name, statement.text, statement.query.limit)
            return Result("table", f"{table.num_rows} rows", table=table)
        plan = plan_query(statement.query, self._catalog, self._settings, name=name)
        spec = JobSpec(name, statement.text, plan, name, self._start_position({}))
        self._launch(spec, {})
        return Result("job", f"started job {name}: {', '.join(spec.inputs)} -> {name}", job=name)

    def _first_rows(self, query: Query, name: str, text: str, limit: int) -> pa.Table:
        """Run an unnamed job until it has given `limit` rows. Waits for them as long as it takes."""
        plan = plan_query(query, self._catalog, self._settings, name=name)
        spec = JobSpec(name, text, plan, "", self._start_position({}))
        arrived: SimpleQueue[pa.Table | None] = SimpleQueue()
        runner = self._runner()
        if runner.on_engine():
            raise JobError("a query with LIMIT would wait for the thread it is called from", hint="start it as a job")
        with runner.hold():
            job = self._launch(spec, {})
            job.watch(arrived.put)
        try:
            return _collect(arrived, job, limit)
        finally:
            if runner.alive:
                runner.call(lambda: runner.ticker.drop(job))

    def _explain(self, statement: Explain) -> Result:
        target = statement.target
        if statement.analyze:
            if not isinstance(target, str):
                raise UnsupportedError("only a running job can be analyzed", hint="EXPLAIN ANALYZE JOB name")
            job = self.job(target)
            self._runner().call(job.measure)
            return Result("table", f"job {job.name}", job=job.name, table=show.operators_table(job.stats))
        lines = explain(self._plan_of(target))
        return Result("table", f"{len(lines)} lines", table=show.plan_table(lines))

    def _plan_of(self, target: StartJob | Pull | Push | str) -> JobPlan:
        if isinstance(target, str):
            return self.job(target).spec.plan
        if isinstance(target, StartJob):
            return plan_job(target, self._catalog, self._settings)
        return plan_query(target.query, self._catalog, self._settings, name="query")

    # -- streams and settings ---------------------------------------------------------------------------------------

    def _create(self, statement: CreateStream) -> Result:
        return Result("message", self._catalog.declare(statement))

    def _drop_stream(self, statement: DropStream) -> Result:
        topic = self._catalog.topic(statement.name)
        users = [j.name for j in self.jobs() if j.state in LIVE and topic in (*j.spec.inputs, j.spec.output)]
        if users:
            raise JobError(f"stream {statement.name} is used by {', '.join(users)}", hint=f"STOP JOB {users[0]} first")
        self._catalog.forget(statement.name)
        if not self._broker.exists(topic):
            if statement.if_exists:
                return Result("message", f"there is no stream {statement.name}")
            known = [t.name for t in self._broker.topics()]
            raise UnknownTopicError(f"unknown stream {statement.name!r}", hint=did_you_mean(statement.name, known))
        self._broker.delete_topic(topic)
        return Result("message", f"dropped stream {statement.name} and topic {topic}")

    def _set(self, statement: SetOption) -> Result:
        (name,) = check_options({statement.key: statement.value}, Level.SESSION)
        self._settings[name] = statement.value
        return Result("message", f"{name} = {statement.value} for jobs started from now on")

    def _show(self, statement: Show) -> Result:
        tables: dict[str, Callable[[], pa.Table]] = {
            "JOBS": lambda: show.jobs_table(map(self.info, self.jobs())),
            "STREAMS": lambda: show.streams_table(self._catalog.declared()),
            "TABLES": lambda: show.streams_table(i for i in self._catalog.declared() if i.schema.key),
            "TOPICS": lambda: show.topics_table(self._broker.topics()),
            "FUNCTIONS": show.functions_table,
        }
        if statement.what not in tables:
            raise ParseError(f"cannot show {statement.what}", hint=did_you_mean(statement.what, tables))
        table = tables[statement.what]()
        return Result("table", f"{table.num_rows} {statement.what.lower()}", table=table)

    def _describe(self, statement: Describe) -> Result:
        jobs = {job.name.lower(): job for job in self.jobs()}
        job = jobs.get(statement.name.lower())
        if job is not None:
            written = self._broker.schema(job.spec.output) if self._broker.exists(job.spec.output) else None
            columns = column_types(written.columns) if written else {}
            table = show.job_table(self.info(job), columns, job.spec.plan.options)
            return Result("table", f"job {job.name}", job=job.name, table=table)
        schema: StreamSchema = self._catalog.stream(statement.name).schema
        return Result("table", f"stream {statement.name}", table=show.columns_table(schema))


def _waits(statement: Statement) -> bool:
    return isinstance(statement, Push) and statement.query.limit is not None


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
