"""What each statement does: SQL text in, `Result`s out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import groupby

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import (
    JobError,
    ParseError,
    UnknownTopicError,
    UnsupportedError,
    did_you_mean,
)
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import Result
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.settings import Level, check_options
from velostream_nb.core.types import column_types
from velostream_nb.engine.explain import explain
from velostream_nb.engine.pull import pull
from velostream_nb.jobs import show
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.control import LIVE, JobControl
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.running import JobSpec
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
    SetOption,
    Show,
    StartJob,
    Statement,
)


class Executor:
    """Runs statements of one session. Safe to use from any thread.

    Args:
        ticker: the session's jobs; only looked at here.
        runner: gives the thread that runs them, which starts with the first need.
        functions: the Python functions that SQL may call.
    """

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        looker: Looker,
        ticker: Ticker,
        runner: Callable[[], Commands],
        clock: Clock,
        functions: FunctionRegistry = FUNCTIONS,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._looker = looker
        self._runner = runner
        self._clock = clock
        self._functions = functions
        self._settings: dict[str, str] = {}
        self._reserved: set[str] = set()
        self._naming = threading.Lock()
        self.control = JobControl(broker, catalog, ticker, runner, clock, self._settings, functions)
        self._handlers: Mapping[type[Statement], Callable[..., Result]] = {
            CreateStream: self._create,
            StartJob: self.control.start,
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

    def _control(self, statement: ControlJob) -> Result:
        info = self.control.act(statement.name, statement.action)
        done = "dropped" if statement.action == "drop" else info.state.value
        return Result("message" if statement.action == "drop" else "job", f"job {info.name} is {done}", job=info.name)

    # -- queries ----------------------------------------------------------------------------------------------------

    def _pull(self, statement: Pull) -> Result:
        functions = self._functions.all()
        table = pull(statement.query, self._retained(statement), now_us=self._clock.now_us(), functions=functions)
        return Result("table", f"{table.num_rows} rows", table=table)

    def _retained(self, statement: Pull) -> dict[str, pa.Table]:
        topics = {name: self._catalog.topic(name) for name in statement.names}
        for name, topic in topics.items():
            if not self._broker.exists(topic):
                self._catalog.stream(name)  # raises, with near names
        return self._looker.tables(topics)

    def _push(self, statement: Push) -> Result:
        with self._query_name() as name:
            return self._push_as(name, statement)

    @contextmanager
    def _query_name(self) -> Iterator[str]:
        """A name that no job has, and that no other caller is about to give one."""
        with self._naming:
            names = {job.name for job in self.control.jobs()} | self._reserved
            name = next(n for i in range(1, len(names) + 2) if (n := f"query_{i}") not in names)
            self._reserved.add(name)
        try:
            yield name
        finally:
            with self._naming:
                self._reserved.discard(name)

    def _push_as(self, name: str, statement: Push) -> Result:
        if statement.query.limit is not None:
            table = self.control.first_rows(statement.query, name, statement.text, statement.query.limit)
            return Result("table", f"{table.num_rows} rows", table=table)
        plan = plan_query(statement.query, self._catalog, self._settings)
        spec = JobSpec(name, statement.text, plan, name, self.control.start_position({}), self._functions)
        self.control.launch(spec, {})
        return Result("job", f"started job {name}: {', '.join(spec.inputs)} -> {name}", job=name)

    def _explain(self, statement: Explain) -> Result:
        target = statement.target
        if statement.analyze:
            if not isinstance(target, str):
                raise UnsupportedError("only a running job can be analyzed", hint="EXPLAIN ANALYZE JOB name")
            job = self.control.job(target)
            self._runner().call(job.measure)
            return Result("table", f"job {job.name}", job=job.name, table=show.operators_table(job.stats))
        lines = explain(self._plan_of(target), self._functions.all())
        return Result("table", f"{len(lines)} lines", table=show.plan_table(lines))

    def _plan_of(self, target: StartJob | Pull | Push | str) -> JobPlan:
        if isinstance(target, str):
            return self.control.job(target).spec.plan
        if isinstance(target, StartJob):
            return plan_job(target, self._catalog, self._settings)
        return plan_query(target.query, self._catalog, self._settings)

    # -- streams and settings ---------------------------------------------------------------------------------------

    def _create(self, statement: CreateStream) -> Result:
        return Result("message", self._catalog.declare(statement))

    def _drop_stream(self, statement: DropStream) -> Result:
        topic = self._catalog.topic(statement.name)
        users = [j.name for j in self.control.jobs() if j.state in LIVE and topic in (*j.spec.inputs, j.spec.output)]
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
            "JOBS": lambda: show.jobs_table(map(self.control.info, self.control.jobs())),
            "STREAMS": lambda: show.streams_table(self._catalog.declared()),
            "TABLES": lambda: show.streams_table(i for i in self._catalog.declared() if i.schema.key),
            "TOPICS": lambda: show.topics_table(self._broker.topics()),
            "FUNCTIONS": lambda: show.functions_table(self._functions.all().values()),
        }
        if statement.what not in tables:
            raise ParseError(f"cannot show {statement.what}", hint=did_you_mean(statement.what, tables))
        table = tables[statement.what]()
        return Result("table", f"{table.num_rows} {statement.what.lower()}", table=table)

    def _describe(self, statement: Describe) -> Result:
        jobs = {job.name.lower(): job for job in self.control.jobs()}
        job = jobs.get(statement.name.lower())
        if job is not None:
            written = self._broker.schema(job.spec.output) if self._broker.exists(job.spec.output) else None
            columns = column_types(written.columns) if written else {}
            table = show.job_table(self.control.info(job), columns, job.spec.plan.options)
            return Result("table", f"job {job.name}", job=job.name, table=table)
        schema: StreamSchema = self._catalog.stream(statement.name).schema
        return Result("table", f"stream {statement.name}", table=show.columns_table(schema))


def _waits(statement: Statement) -> bool:
    return isinstance(statement, Push) and statement.query.limit is not None
