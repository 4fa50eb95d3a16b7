"""Queries that give rows: a bare SELECT over what is retained, and EMIT CHANGES over what comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import JobError, JobFailedError
from velostream_nb.core.functions import FunctionRegistry
from velostream_nb.core.model import Result
from velostream_nb.core.records import no_rows
from velostream_nb.engine.pull import pull
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.control import JobControl
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.sql.planner import plan_query
from velostream_nb.sql.pull import views_read
from velostream_nb.sql.query import topics_read
from velostream_nb.sql.statements import Pull, Push, Query

STILL_THERE_S = 0.1
"""So often a query that waits for rows asks whether its caller still does."""


class Waiting:
    """How long a push query waits for its rows.

    Args:
        timeout_s: None waits as long as it takes.
        given_up: asked every `STILL_THERE_S`: whether nobody waits for the answer any more.
    """

    def __init__(self, timeout_s: float | None = None, given_up: Callable[[], bool] = lambda: False) -> None:
        self.timeout_s = timeout_s
        self.given_up = given_up


class Queries:
    """Carries out SELECT. Safe to use from any thread."""

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        looker: Looker,
        control: JobControl,
        runner: Callable[[], Commands],
        clock: Clock,
        settings: Mapping[str, str],
        functions: FunctionRegistry,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._looker = looker
        self._control = control
        self._runner = runner
        self._clock = clock
        self._settings = settings
        self._functions = functions
        self._reserved: set[str] = set()
        self._naming = threading.Lock()

    # -- pull -------------------------------------------------------------------------------------------------------

    def pull(self, statement: Pull) -> Result:
        """A bare SELECT: topics, tables, views and outputs of jobs, all as of one tick.

        Raises:
            BindError: an unknown name, or a wrong type.
            UnsupportedError: a session window.
        """
        table = self.rows_of(statement.query)
        return Result("table", f"{table.num_rows} {'row' if table.num_rows == 1 else 'rows'}", table=table)

    def rows_of(self, query: Query) -> pa.Table:
        """The rows of a query over what is retained."""
        views = views_read(query, self._catalog.view)
        names = dict.fromkeys(name for q in (*views.values(), query) for name in topics_read(q.tree))
        tables = self._retained([name for name in names if name.lower() not in views])
        return pull(query, tables, now_us=self._clock.now_us(), views=views, functions=self._functions.all())

    def _retained(self, names: list[str]) -> dict[str, pa.Table]:
        """The rows behind names: what a topic retains, a changelog folded; of a reference table those of its file."""
        tables: dict[str, pa.Table] = {}
        topics: dict[str, str] = {}
        for name in names:
            info = self._catalog.find(name)
            if info is not None and info.rows is not None:
                tables[name] = info.rows
                continue
            topics[name] = self._topic(name)
            if not self._broker.exists(topics[name]):
                self._catalog.stream(name)  # raises, with near names
        return tables | self._looker.tables(topics)

    def _topic(self, name: str) -> str:
        """The topic of that name, or the one that the job of that name writes."""
        topic = self._catalog.topic(name)
        if not self._broker.exists(topic):
            job = next((j for j in self._control.jobs() if j.name.lower() == name.lower() and j.spec.output), None)
            return topic if job is None else job.spec.output
        return topic

    # -- push -------------------------------------------------------------------------------------------------------

    def push(self, statement: Push, waiting: Waiting) -> Result:
        """``SELECT … EMIT CHANGES``: an unnamed job. With LIMIT its first rows, and then it is gone."""
        with self._query_name() as name:
            if statement.query.limit is not None:
                return self._first_rows(name, statement, statement.query.limit, waiting)
            spec = self._spec(statement, name, output=name)
            self._control.launch(spec, {})
            return Result("job", f"started job {name}: {', '.join(spec.inputs)} -> {name}", job=name)

    def _spec(self, statement: Push, name: str, *, output: str) -> JobSpec:
        plan = plan_query(statement.query, self._catalog, self._settings)
        start = self._control.start_position({})
        settings = dict(self._settings)
        return JobSpec(name, statement.text, plan, output, start, self._functions, statement.params, settings)

    @contextmanager
    def _query_name(self) -> Iterator[str]:
        """A name that no job has, and that no other caller is about to give one."""
        with self._naming:
            names = {job.name for job in self._control.jobs()} | self._reserved
            name = next(n for i in range(1, len(names) + 2) if (n := f"query_{i}") not in names)
            self._reserved.add(name)
        try:
            yield name
        finally:
            with self._naming:
                self._reserved.discard(name)

    def _first_rows(self, name: str, statement: Push, limit: int, waiting: Waiting) -> Result:
        """Run an unnamed job until it has given `limit` rows, the time is up, or nobody waits any more."""
        arrived: SimpleQueue[pa.Table | None] = SimpleQueue()
        runner = self._runner()
        if runner.on_engine():
            raise JobError("a query with LIMIT would wait for the thread it is called from", hint="start it as a job")
        with runner.hold():
            job = self._control.launch(self._spec(statement, name, output=""), {})
            job.watch(arrived.put)
            empty = no_rows(job.engine.output_schema)
        try:
            table = _collect(arrived, job, limit, waiting) or empty
        finally:
            if runner.alive:
                runner.call(lambda: runner.ticker.drop(job))
        rows = f"{table.num_rows} {'row' if table.num_rows == 1 else 'rows'}"
        if table.num_rows < limit and waiting.timeout_s is not None:
            rows += f" of {limit}: no more came in {waiting.timeout_s:g} s"
        return Result("table", rows, table=table)


def _collect(arrived: SimpleQueue[pa.Table | None], job: RunningJob, limit: int, waiting: Waiting) -> pa.Table | None:
    tables: list[pa.Table] = []
    rows = 0
    until_s = None if waiting.timeout_s is None else time.monotonic() + waiting.timeout_s
    while rows < limit:
        left_s = STILL_THERE_S if until_s is None else min(STILL_THERE_S, until_s - time.monotonic())
        try:
            table = arrived.get(timeout=max(0.0, left_s))
        except Empty:
            if waiting.given_up() or (until_s is not None and time.monotonic() >= until_s):
                break
            continue
        if table is None:
            if job.error is not None:
                raise JobFailedError(job.error.message, hint=job.error.hint) from job.error
            break
        tables.append(table)
        rows += table.num_rows
    return pa.concat_tables(tables).slice(0, limit) if tables else None
