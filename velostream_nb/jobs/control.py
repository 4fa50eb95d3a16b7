"""The life of jobs as users ask for it: start, look, steer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import BindError, ConfigError, JobError, JobExistsError, UnknownJobError, did_you_mean
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import JobInfo, JobState, Result
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.settings import Level, check_options, option
from velostream_nb.jobs.alter import altered, carry_over, new_values, planned_anew
from velostream_nb.jobs.catalog import Catalog, retention
from velostream_nb.jobs.outputs import output_schema
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.jobs.targets import Locate, check_target, nowhere
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sql.literals import parameter_text
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.planner import plan_job
from velostream_nb.sql.query import output_place
from velostream_nb.sql.statements import AlterJob, StartJob

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
        ticker.widening.plan_anew = lambda spec: planned_anew(spec, catalog)

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
        """``START JOB``, ``CREATE STREAM … AS`` and ``INSERT INTO … SELECT``.

        Raises:
            JobExistsError: a live job has the name, or an INSERT INTO with this very query runs already.
            UnsupportedError: the output is a view, or a table that is a file's.
            BindError: the output is declared, and the job's columns are others.
        """
        options = check_options(statement.options, Level.JOB)
        if not _JOB_NAME.match(statement.name):
            raise ConfigError(f"{statement.name!r} cannot name a job", hint="use letters, digits, dots, _ or -")
        if statement.insert:
            statement = self._named(statement)
        self._check_name_free(statement.name, or_replace=statement.or_replace)
        plan = plan_job(statement, self._catalog, self._settings)
        output = self._catalog.writable(statement.output)
        spec = JobSpec(
            statement.name,
            statement.text,
            plan,
            output,
            self.start_position(options),
            self.functions,
            statement.params,
            dict(self._settings),
        )
        if output in spec.inputs:
            raise JobError(
                f"job {spec.name} would read its own output {output!r}", hint="choose another 'output.topic'"
            )
        locate = partial(output_place, statement.query)
        self.launch(spec, options, or_replace=statement.or_replace, insert=statement.insert, locate=locate)
        message = f"started job {spec.name}: {', '.join(spec.inputs)} -> {output}"
        return Result("job", "; ".join([message, *plan.notes]), job=spec.name)

    def _named(self, statement: StartJob) -> StartJob:
        """An INSERT INTO under the first number that is free, so that several can write into one topic."""
        live = [job for job in self.jobs() if job.state in LIVE]
        twin = next((j for j in live if (j.spec.sql, j.spec.params) == (statement.text, statement.params)), None)
        if twin is not None:
            raise JobExistsError(
                f"job {twin.name} runs this INSERT already",
                hint=f"STOP JOB {twin.name} first; or START JOB name AS SELECT … to run it twice",
            )
        taken, base = {job.name for job in live}, f"insert_into_{statement.output}"
        names = (base if i == 1 else f"{base}_{i}" for i in range(1, len(taken) + 2))
        return replace(statement, name=next(name for name in names if name not in taken))

    def alter(self, statement: AlterJob) -> Result:
        """``ALTER JOB j SET name = value``: between two ticks, from the state there is.

        Raises:
            UnknownJobError: no such job.
            BindError: no such parameter, or a value that is none, or does not go with the query.
            JobError: a value changes what the job's state depends on.
        """
        job = self.job(statement.name)
        functions = self.functions.all()
        values = new_values(statement, job.spec, now_us=self._clock.now_us(), functions=functions)
        spec = altered(job.spec, values, self._catalog)
        before = job.spec.params
        self._runner().call(lambda: carry_over(job, spec))
        changes = [f"{n} = {parameter_text(v)} (was {parameter_text(before[n])})" for n, v in values.items()]
        return Result("job", f"job {job.name}: {', '.join(changes)}", job=job.name)

    def launch(
        self,
        spec: JobSpec,
        options: Mapping[str, str],
        *,
        or_replace: bool = False,
        insert: bool = False,
        locate: Locate = nowhere,
    ) -> RunningJob:
        """Start a job of any kind.

        Args:
            options: its own.
            or_replace: a live job of the name gives way once this one compiles.
            insert: it adds to a topic, and does not say what the topic's columns are.
            locate: where the query gives a column, for errors.
        """
        job, runner = RunningJob(spec, self._clock.now_us()), self._runner()

        def begin() -> None:
            self._check_name_free(spec.name, or_replace=or_replace)

            def ready() -> None:
                self._prepare_output(job, options, or_replace=or_replace, insert=insert, locate=locate)

            runner.ticker.start(job, ready=ready)

        runner.call(begin)
        return job

    def _prepare_output(
        self, job: RunningJob, options: Mapping[str, str], *, or_replace: bool, insert: bool, locate: Locate
    ) -> None:
        """Make the output topic, or check that the job's columns fit the one there is.

        ``OR REPLACE`` empties the topic, as it does a table elsewhere, unless others have written or read it.
        """
        topic, engine = job.spec.output, job.engine
        schema = output_schema(engine.output_schema, engine.key, engine.changelog, inferred=job.spec.inferred)
        if not topic:
            return
        declared = self._catalog.owner(topic)
        if declared is None and insert and (known := self._topic_schema(topic)) is not None:
            declared = StreamInfo(topic, topic, known, table=known.changelog is not None)
        if declared is not None:
            check_target(job.name, schema, declared, locate)
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

    def _topic_schema(self, topic: str) -> StreamSchema | None:
        return self._catalog.schema(topic) if self._broker.exists(topic) else None

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
                hint=f"STOP JOB {name} first, or write START OR REPLACE JOB {name} AS SELECT …",
            )

    def start_position(self, options: Mapping[str, str]) -> str:
        return (option("auto.offset.reset", options, self._settings) or "earliest").lower()


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
