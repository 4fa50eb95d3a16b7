"""One job as it runs: what was asked (`JobSpec`), its engine and graph, and what it has done so far (`Totals`)."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from velostream_nb.core.errors import StateError, VeloError
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US, JobInfo, JobState
from velostream_nb.core.records import Decoded, Rejected
from velostream_nb.core.schema import StreamSchema
from velostream_nb.engine.job import JobEngine, Outcome
from velostream_nb.engine.node import OperatorStats
from velostream_nb.engine.take_over import take_over
from velostream_nb.jobs.crew import Cost
from velostream_nb.jobs.graph import JobGraph, UserStream
from velostream_nb.jobs.outputs import visible_rows
from velostream_nb.jobs.rate import RateMeter
from velostream_nb.jobs.withheld import Withheld
from velostream_nb.sinks.dead_letter import dead_letter_topic
from velostream_nb.sql.literals import parameter_text
from velostream_nb.sql.plan import JobPlan, Source


@dataclass(frozen=True)
class JobSpec:
    """What was asked.

    Attributes:
        sql: the statement as written.
        output: the topic written; '' for a push query, whose rows only go to its stream.
        start: 'earliest' or 'latest', for inputs without a kept position.
        functions: the Python functions that the SQL may call; looked at when the job starts or restarts.
        params: the values of its ``$name`` parameters.
        settings: the session's when it was planned, for when it is planned again.
        rigid: numbers that an inferred column does not hold go to the dead letters, as if it was declared.
    """

    name: str
    sql: str
    plan: JobPlan
    output: str
    start: str = "earliest"
    functions: FunctionRegistry = FUNCTIONS
    params: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    rigid: bool = False

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Distinct input topics, in the order of the text."""
        return tuple(dict.fromkeys(source.stream.topic for source in self.plan.sources))

    @property
    def dead_letters(self) -> str:
        """The topic of records that could not be decoded or computed."""
        return dead_letter_topic(self.name)

    @property
    def inferred(self) -> bool:
        """Whether it reads a topic whose columns were inferred."""
        return any(source.stream.schema.inferred for source in self.plan.sources)

    def schema(self, topic: str) -> StreamSchema:
        """How an input topic is decoded."""
        info = next(s.stream for s in self.plan.sources if s.stream.topic == topic)
        if self.rigid:
            info = replace(info, schema=replace(info.schema, inferred=False))
        if info.table and info.schema.changelog is None:
            return replace(info.schema, changelog="upsert")
        return info.schema

    def idle_us(self, topic: str) -> int | None:
        """After how long without records a partition of an input no longer holds the watermark back; None: never."""
        sources = [s for s in self.plan.sources if s.stream.topic == topic and isinstance(s, Source)]
        return sources[0].idle_us if sources else None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a job has done since its start, as of one tick.

    Attributes:
        positions: by topic and partition, the next offset the job has not processed.
    """

    rows_in: int = 0
    rows_out: int = 0
    late: int = 0
    failed: int = 0
    watermark_us: int = WATERMARK_MIN_US
    busy_us: int = 0
    positions: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What a job made of one tick; nothing of it counts before it is published."""

    outcome: Outcome
    rejected: Sequence[Rejected]
    totals: Totals
    final: bool


class RunningJob:
    """A job. Only the thread that ticks may call anything but `info`, `stats` and the attributes.

    Attributes:
        state: where in its life it is; a job that failed keeps its error and its position.
        stream: where the user's streamz code hangs; it survives stop and restart.
        said: whether a `drain` has told its caller of the failure.
        lost: records that retention removed before this job could read them.
        began: where it began to read, by topic and partition.
        remarks: what has happened to it that its user should know.
        cost: how long a step takes.
        arrived: it has read as much as the others, at least once since its start. A job that writes a state and is
            not there yet publishes nothing (`step` withholds it), so that nobody sees states of different inputs.
    """

    def __init__(self, spec: JobSpec, now_us: int) -> None:
        self.spec = spec
        self.state = JobState.STARTING
        self.stream = UserStream(spec.name)
        self.error: VeloError | None = None
        self.said = False
        self.lost = 0
        self.arrived = False
        self.began: Mapping[str, Mapping[int, int]] = {}
        self.remarks: list[str] = []
        self.totals = Totals()
        self.stats: tuple[OperatorStats, ...] = ()
        self.started_us = now_us
        self._rate = RateMeter(now_us)
        self._idle: frozenset[tuple[str, int]] = frozenset()
        self.cost = Cost()
        self._engine: JobEngine | None = None
        self._graph: JobGraph | None = None
        self._watchers: list[Callable[[pa.Table | None], None]] = []
        self._withheld = Withheld()
        self._state_dir = Path(tempfile.gettempdir()) / f"velo-{uuid.uuid4().hex}"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def engine(self) -> JobEngine:
        """The engine of a job that runs or is paused."""
        assert self._engine is not None, f"job {self.name} is {self.state} and has no engine"
        return self._engine

    @property
    def writes_state(self) -> bool:
        """Whether its output is a changelog in a topic, where half of a change would be a wrong state."""
        return bool(self.spec.output) and self.spec.plan.changelog is not None

    @property
    def at_home(self) -> bool:
        """Whether it calls users' Python functions, which run on the thread that ticks and on no other."""
        return bool(self.engine.functions)

    @property
    def withholds(self) -> bool:
        """Whether there are changes that it has not published yet."""
        return bool(self._withheld)

    def stands(self, rows: pa.Table) -> None:
        """Tell what an earlier run has left in its topic: the first publish is the difference to it."""
        self._withheld.stands(rows)

    def open(self, now_us: int, *, threads: int = 1) -> None:
        """Compile: fresh state, fresh counters. Raises what the engine raises about the plan (BindError, …)."""
        engine = self._compiled(self.spec, threads)
        self._engine, self._graph = engine, JobGraph(engine.nodes)
        self._idle = frozenset()
        self._rate = RateMeter(now_us)
        self._withheld, self.arrived = Withheld(self.spec.plan.changelog, engine.key), False
        self.totals, self.stats, self.error, self.said, self.lost = Totals(), (), None, False, 0
        self.began, self.remarks = {}, []
        self.started_us = now_us
        self.state = JobState.RUNNING

    def _compiled(self, spec: JobSpec, threads: int = 1) -> JobEngine:
        """The engine of a plan; one with parameters may write its state into `_state_dir`, which need not exist."""
        state_dir = str(self._state_dir) if spec.params else None
        return JobEngine(spec.plan, threads=threads, state_dir=state_dir, functions=spec.functions.all())

    def take_over(self, spec: JobSpec) -> None:
        """Go on with another plan of the same query, from the state there is.

        Raises:
            StateError: it keeps another kind of state, or reads other columns; the job is as it was.
            BindError: DuckDB refuses the plan; the job is as it was.
        """
        old, engine = self.engine, self._compiled(spec)
        try:
            if engine.columns != old.columns or engine.output_schema != old.output_schema:
                raise StateError("the query reads or writes other columns")
            self._state_dir.mkdir(mode=0o700)
            try:
                take_over(engine, old, self._state_dir / "state")
            finally:
                shutil.rmtree(self._state_dir, ignore_errors=True)
        except BaseException:
            engine.close()
            raise
        self._exchange(spec, engine)

    def rebuild(self, spec: JobSpec, replay: Callable[[JobEngine], bool]) -> bool:
        """Go on with another plan, its state made by `replay`; False, and all as it was, when that cannot make it.

        Raises what compiling and replaying raise; the job is then as it was.
        """
        engine = self._compiled(spec)
        try:
            if not replay(engine):
                engine.close()
                return False
        except BaseException:
            engine.close()
            raise
        self._withheld.cast(engine.output_schema)
        self._exchange(spec, engine)
        return True

    def _exchange(self, spec: JobSpec, engine: JobEngine) -> None:
        assert self._graph is not None
        old = self.engine
        self._graph.destroy()
        self.spec, self._engine, self._graph = spec, engine, JobGraph(engine.nodes)
        old.close()

    def step(
        self,
        inputs: Mapping[str, Sequence[Decoded]],
        positions: Mapping[str, Mapping[int, int]],
        *,
        final: bool,
        idle: Collection[tuple[str, int]],
        withhold: bool = False,
        now_us: int = 0,
    ) -> Step:
        """Run one tick through the operators. Raises what they raise; the engine is then of no more use.

        Args:
            inputs: runs of records by topic, decoded; topics without new records may be missing.
            positions: where the job stands after this tick.
            idle: partitions that do not hold the watermark back.
            withhold: keep the changes for a later step, which then gives their sum.
            now_us: the wall's time.
        """
        began_ns = time.perf_counter_ns()
        assert self._graph is not None
        batches = {topic: inputs.get(topic, ()) for topic in self.engine.topics}
        deltas = self.engine.begin(batches, final=final, idle=idle, now_us=now_us)
        outcome = self.engine.finish(self._graph.tick(deltas))
        if withhold:
            self._withheld.add(outcome.rows)
            outcome = replace(outcome, rows=outcome.rows.slice(0, 0))
        elif self._withheld:
            outcome = replace(outcome, rows=self._withheld.release(outcome.rows))
        self._idle = frozenset(idle)
        given = [run for runs in batches.values() for run in runs]
        rejected = [r for run in given for r in run.rejected]
        accepted = sum(run.batch.num_rows for run in given)
        before = self.totals
        totals = Totals(
            rows_in=before.rows_in + accepted + len(rejected),
            rows_out=before.rows_out + outcome.rows.num_rows,
            late=before.late + outcome.late,
            failed=before.failed + len(rejected) + len(outcome.rejected),
            watermark_us=outcome.watermark_us,
            busy_us=before.busy_us + (time.perf_counter_ns() - began_ns) // 1_000,
            positions=positions,
        )
        # late rows are counted as late, not as failed
        return Step(outcome, [*rejected, *outcome.rejected, *outcome.late_rows], totals, final)

    def news(self, idle: Collection[tuple[str, int]]) -> bool:
        """Whether partitions fell idle or came back since the last step, so that the watermark may move by itself."""
        return self._idle != frozenset(idle)

    def settle(self, step: Step, now_us: int) -> None:
        """A step was published: its numbers count from now on, and the watchers hear of its rows."""
        self._rate.count(now_us, step.totals.rows_in - self.totals.rows_in)
        self.totals = step.totals
        if self._watchers and step.outcome.rows.num_rows:
            rows = visible_rows(step.outcome.rows)
            for watcher in self._watchers:
                watcher(rows)

    def watch(self, watcher: Callable[[pa.Table | None], None]) -> None:
        """Call `watcher` with the output rows of every tick that has any, and with None when the job is over."""
        self._watchers.append(watcher)

    def measure(self) -> None:
        """Look at what the operators hold."""
        if self._engine is not None:
            self.stats = tuple(self._engine.stats())

    def close(self, state: JobState, error: VeloError | None = None) -> None:
        """Give the engine up and take a final state. The position, the numbers and the user's stream stay."""
        self.state, self.error = state, error
        self._withheld = Withheld()
        graph, engine = self._graph, self._engine
        self._graph = self._engine = None
        self.stats = tuple(replace(s, state_rows=0, state_bytes=0) for s in self.stats)
        if graph is not None:
            graph.destroy()
        if engine is not None:
            engine.close()
        for watcher in self._watchers:
            watcher(None)

    def info(self, now_us: int, lag_rows: int, totals: Totals) -> JobInfo:
        """One look, as of the tick that left `totals`. Any thread may look."""
        stats, error = self.stats, self.error
        known = WATERMARK_MIN_US < totals.watermark_us < WATERMARK_MAX_US
        return JobInfo(
            name=self.name,
            sql=self.spec.sql,
            state=self.state,
            inputs=self.spec.inputs,
            output=self.spec.output,
            rows_in=totals.rows_in,
            rows_out=totals.rows_out,
            late=totals.late,
            failed=totals.failed,
            rate=self._rate.rate(now_us) if self.state is JobState.RUNNING else 0.0,
            watermark_us=totals.watermark_us if known else None,
            lag_rows=lag_rows,
            busy_us=totals.busy_us,
            state_rows=sum(s.state_rows for s in stats),
            state_bytes=sum(s.state_bytes for s in stats),
            started_us=self.started_us,
            error=None if error is None else str(error),
            notes=(*self.spec.plan.notes, *self._warnings()),
            params={name: parameter_text(value) for name, value in self.spec.params.items()},
        )

    def _warnings(self) -> list[str]:
        called = () if (engine := self._engine) is None else engine.functions
        found = [f"{f.name} is not deterministic: a replay may give other rows" for f in called if not f.deterministic]
        if self.withholds and self.state is JobState.RUNNING:
            found.append("it is catching up: what it has worked out shows when it has read as much as the others")
        found += self.remarks
        if self.lost:
            found.append(f"{self.lost} records were gone before they were read; raise 'retention.rows' of the input")
        if self.stream.errors:
            found.append(f"your stream code raised {self.stream.errors} times, last: {self.stream.last_error}")
        return found
