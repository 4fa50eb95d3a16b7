"""`Session`: the engine in this process behind the interface of `core.model.SessionLike`."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.payload import payload_rows
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.core.errors import BrokerError, UnknownTopicError
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import Frame, JobInfo, Result, TopicInfo
from velostream_nb.core.records import no_rows
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.crew import threads_or_default
from velostream_nb.jobs.execute import Executor
from velostream_nb.jobs.functions import decorator
from velostream_nb.jobs.handle import Job, stream_of
from velostream_nb.jobs.ingest import check_op, to_deletes, to_outputs
from velostream_nb.jobs.queries import Waiting
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.runner import Runner
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sinks.dead_letter import DEAD_LETTER_COLUMNS


class _Machine:
    """What a session holds open: a broker, and a runner from the first need on.

    Apart from the session, so that a session nobody refers to any more can be collected while its thread still runs;
    collecting it, like the end of the interpreter, closes this.
    """

    def __init__(self, broker: Broker | None, clock: Clock, threads: int) -> None:
        self.clock = clock
        self.owns_broker = broker is None
        self.broker: Broker = EmbeddedBroker(clock) if broker is None else broker
        self.codec = JsonCodec()
        self.closed = False
        self.ticker = Ticker(self.broker, self.codec, clock, threads=threads)
        self._runner: Runner | None = None
        self._lock = threading.Lock()

    def runner(self) -> Runner:
        with self._lock:
            if self.closed:
                raise BrokerError("the session is closed", hint="open a new one with velo.connect()")
            if self._runner is None:
                self._runner = Runner(self.ticker, self.broker, self.clock)
            return self._runner

    def close(self) -> None:
        with self._lock:
            if self.closed:
                return
            self.closed = True
            runner = self._runner
        if runner is not None:
            runner.close()
        if self.owns_broker:
            self.broker.close()


class Session:
    """Streaming SQL in this process. All methods may be called from any thread; any number of sessions may be open.

    Args:
        broker: where records live; None opens one in memory, which belongs to the session and is closed with it.
        clock: gives the broker's timestamps, idle timeouts and ``timestamp()`` in pull queries.
        threads: how many work at the jobs when there is much to do; None: one for each core that the process may use.
            No result depends on it, and Python functions that SQL calls always run on the engine's own thread.

    Raises:
        ConfigError: less than one thread.

    A session that nobody refers to any more closes itself, and so do those still open when the interpreter ends.
    """

    def __init__(self, broker: Broker | None = None, clock: Clock | None = None, *, threads: int | None = None) -> None:
        self._machine = _Machine(broker, clock or SystemClock(), threads_or_default(threads))
        self._broker = self._machine.broker
        self._catalog = Catalog(self._broker, self._machine.codec)
        self._looker = Looker(self._broker, self._machine.codec, self._catalog)
        machine = self._machine
        self._functions = FunctionRegistry(FUNCTIONS)
        self._executor = Executor(
            self._broker, self._catalog, self._looker, machine.ticker, machine.runner, machine.clock, self._functions
        )
        self._control = self._executor.control
        self._finalizer = weakref.finalize(self, self._machine.close)

    # -- SQL --------------------------------------------------------------------------------------------------------

    def sql(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,
        **named: object,
    ) -> list[Result]:
        """Run one or many statements in order; the first error stops the rest. Returns one result a statement.

        Args:
            text: statements separated by semicolons. Jobs of one text start from one cut of their inputs.
            params, **named: values for ``$name`` in the text. A job keeps them, and ``ALTER JOB j SET name = value``
                changes them while it runs.
            timeout: in seconds; a query with EMIT CHANGES LIMIT then gives the rows that have come. None: it waits as
                long as it takes (an interrupt ends it).
            given_up: asked while such a query waits: whether nobody wants its rows any more.

        Raises:
            SqlError: a statement cannot be read, bound or made incremental.
            JobError: a job's name is taken, its name is unknown, or its state does not allow what was asked.
            ConfigError: an unknown option.
        """
        waiting = Waiting(timeout, given_up or (lambda: False))
        return self._executor.run(text, {**(params or {}), **named}, waiting)

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,
    ) -> pa.Table:
        """The rows of a bare SELECT over what is retained, as of one tick.

        Also takes SHOW, DESCRIBE, EXPLAIN, and ``SELECT … EMIT CHANGES LIMIT n``, which waits for its rows (see `sql`).

        Raises:
            BindError: an unknown name or a wrong type.
            UnsupportedError: not one statement, or one that gives no rows.
        """
        return self._executor.query(text, params, Waiting(timeout, given_up or (lambda: False)))

    def function(self, call: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """`velostream_nb.function` for this session alone: ``@s.function`` or ``@s.function(returns="DOUBLE")``."""
        register = decorator(self._functions, **options)
        return register if call is None else register(call)

    # -- records ----------------------------------------------------------------------------------------------------

    def produce(self, topic: str, rows: Any, *, op: str = "upsert") -> int:
        """Append rows to a topic, or to the topic of a stream; returns how many. A missing topic is made.

        Args:
            rows: list of dicts, pandas or Arrow table, or list of bytes for raw records. A dict that does not fit the
                topic's schema is appended all the same: each job that reads it sends it to its dead letters.
            op: 'delete' takes rows out of a table; they need no more than the columns of its primary key.

        Raises:
            SchemaError: rows of no such kind, or rows to delete that do not name their key.
            UnsupportedError: a delete from what is no table with a primary key; a view, or a table that is a file's.
        """
        check_op(op)
        name = self._catalog.writable(topic)
        known = self._broker.schema(name) if self._broker.exists(name) else None
        outputs = to_deletes(name, rows, known) if op == "delete" else to_outputs(name, rows, known)
        if known is None and not self._broker.exists(name):
            self._broker.create_topic(name)
        self._broker.publish(outputs)
        return sum(payload_rows(output.payload) for output in outputs)

    def read(self, topic: str, *, changelog: bool = False) -> pa.Table:
        """All retained records of a topic or stream; a changelog is folded by its key unless `changelog`.

        Of a table the latest row per key, of a view what its query gives now.

        Raises:
            UnknownTopicError: no such topic. (A job's dead-letter topic may be read before it has any.)
        """
        info = self._catalog.find(topic)
        if self._catalog.view(topic) is not None:
            return self.query('SELECT * FROM "{}"'.format(topic.replace('"', '""')))
        if info is not None and info.rows is not None:
            return info.rows
        name = self._catalog.topic(topic)
        try:
            return self._looker.table(name, changelog=changelog)
        except UnknownTopicError:
            if any(job.spec.dead_letters == name for job in self._control.jobs()):
                return no_rows(DEAD_LETTER_COLUMNS)
            raise

    def frames(self, wanted: Mapping[str, int | None], *, limit: int = 5_000) -> dict[str, Frame]:
        """What is new in each topic since its offset (None: the newest `limit` rows); all as of one tick."""
        return self._looker.frames(wanted, limit)

    def topics(self) -> list[TopicInfo]:
        """All topics, by name."""
        return self._broker.topics()

    def drain(self, *, final: bool = False, timeout: float | None = None) -> None:
        """Return when all that was produced before the call is processed, through chains of jobs; paused jobs aside.

        Args:
            final: the inputs are at their end: watermarks go to +infinity, windows close and the jobs are finished.
            timeout: in seconds; None waits as long as it takes.

        Raises:
            JobFailedError: a job failed since the last drain; the others are drained all the same.
            JobError: not there in time, or called from the code of a job's stream.
        """
        self._machine.runner().drain(final=final, timeout=timeout)

    # -- jobs -------------------------------------------------------------------------------------------------------

    def job(self, name: str) -> Job:
        """A handle on a job; UnknownJobError with near names otherwise."""
        found = self._control.job(name).name
        return Job(self, found, stream_of(self._control.job, found))

    def jobs(self) -> list[JobInfo]:
        """All jobs, in the order they were started."""
        return [self._control.info(job) for job in self._control.jobs()]

    def job_info(self, name: str) -> JobInfo:
        """One job; UnknownJobError with near names otherwise."""
        return self._control.info(self._control.job(name))

    def control(self, name: str, action: str) -> JobInfo:
        """'stop' | 'pause' | 'resume' | 'restart' | 'drop' a job; gives it as it is then."""
        return self._control.act(name, action)

    # -- the end ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the jobs and release everything. Safe to call twice. A broker that was passed in stays open."""
        self._finalizer()

    @property
    def closed(self) -> bool:
        return self._machine.closed

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return "Session (closed)"
        infos = self.jobs()
        lines = [f"Session: {len(infos)} jobs, {len(self.topics())} topics"]
        return "\n  ".join([*lines, *(f"{i.name}: {i.state.value}" for i in infos)])
