"""One tick: a cut of all the inputs, every job to the end, one publish. No thread and no waiting here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeAlias

import pyarrow as pa

from velostream_nb.brokers.contract import Broker, Output, Reader, Transaction
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import JobFailedError, VeloError
from velostream_nb.core.model import JobState
from velostream_nb.engine.codes import forget
from velostream_nb.jobs.crew import Crew, Task
from velostream_nb.jobs.feeds import Input
from velostream_nb.jobs.intake import BatchSize, Cut, Intake, Positions
from velostream_nb.jobs.level import Begun, Levels, levels, refuse_circle
from velostream_nb.jobs.outputs import row_outputs, visible_rows
from velostream_nb.jobs.reading import EVERYTHING, state_of
from velostream_nb.jobs.running import RunningJob, Step
from velostream_nb.jobs.widening import Narrow, Widening
from velostream_nb.sinks.dead_letter import DEAD_LETTER_SCHEMA, rejected_batch

Steps: TypeAlias = list[tuple[RunningJob, Step]]


class Ticker:
    """Jobs and their feeds. All of it belongs to one thread; other threads may look at `jobs` values' `info`.

    Args:
        codec: decodes what feeds read.
        size: how much a tick reads; adapts itself.
        backpressure: hold a job's inputs while another job is far behind in reading its output. For runs to the end,
            where memory is bounded and nobody waits; live, a latecomer must not stop those it reads from.
        threads: how many work at a tick.
        chores: other work that can be done while jobs are at theirs.
    """

    def __init__(
        self,
        broker: Broker,
        codec: Codec,
        clock: Clock,
        size: BatchSize | None = None,
        *,
        backpressure: bool = False,
        threads: int = 1,
        chores: Callable[[], list[Task]] = list,
    ) -> None:
        self.jobs: dict[str, RunningJob] = {}
        self.size = size or BatchSize()
        self._broker = broker
        self._clock = clock
        self._codec = codec
        self._written: dict[str, int] = {}
        held = self._is_congested if backpressure else None
        self._crew = Crew(threads)
        self._chores = chores
        self._intake = Intake(broker, codec, clock, self.size, held, ahead=threads > 1)
        self.widening = Widening(broker, codec, clock)
        self._narrow: dict[str, Narrow] = {}

    # -- the life of jobs -------------------------------------------------------------------------------------------

    def start(self, job: RunningJob, *, ready: Callable[[], None] | None = None) -> None:
        """Compile a job and place it at its start; it takes part from the next tick on.

        Args:
            ready: called once it compiles and before it takes its name; what it raises ends the start.

        Raises what the engine raises about the plan, UnknownTopicError, and JobError when jobs would feed one another
        in a circle; the job is then not known. A job of the same name is dropped once this one compiles.
        """
        refuse_circle(job.spec, self.jobs.values())
        job.open(self._clock.now_us())
        try:
            standing = self._standing(job)
            if ready is not None:
                ready()
            old = self.jobs.get(job.name)
            if old is not None and old is not job:
                self.drop(old)
            topic = job.spec.output
            if not self._broker.exists(topic) or not self._broker.topic(topic).latest:
                self._written.pop(topic, None)  # it was made anew
            elif standing is not None:
                job.stands(standing)
            self._place(job, {})
        except Exception as error:
            job.close(JobState.FAILED, _as_failure(job.name, error))
            raise
        self.jobs[job.name] = job

    def pause(self, job: RunningJob) -> None:
        """Stop reading; the state and the position stay."""
        self._intake.leave(job.name)
        job.state = JobState.PAUSED

    def resume(self, job: RunningJob) -> None:
        """Go on where `pause` left off."""
        self._place(job, job.totals.positions)
        job.arrived = False
        job.state = JobState.RUNNING

    def stop(self, job: RunningJob) -> None:
        """Give up the state; a stopped job can only be restarted."""
        self._intake.leave(job.name)
        job.close(JobState.STOPPED)

    def restart(self, job: RunningJob) -> None:
        """Fresh state, from the start that was asked for."""
        self.stop(job)
        self.start(job)

    def reopen(self) -> None:
        """Before the first tick: open the readers of all active jobs anew, at their starts."""
        jobs = self.active()
        for job in jobs:
            self._intake.leave(job.name)
        for job in jobs:
            self._place(job, {})

    def drop(self, job: RunningJob) -> None:
        """Forget the job and take its user's stream apart."""
        if job.state in (JobState.RUNNING, JobState.PAUSED):
            self.stop(job)
        job.stream.destroy()
        if self.jobs.get(job.name) is job:
            del self.jobs[job.name]

    def fail(self, job: RunningJob, error: Exception) -> None:
        """The job is over; the others go on, and its position stays where its last published tick left it."""
        self._intake.leave(job.name)
        job.close(JobState.FAILED, _as_failure(job.name, error))

    def active(self) -> list[RunningJob]:
        """Jobs that run, in the order they were started."""
        return [job for job in self.jobs.values() if job.state is JobState.RUNNING]

    def levels(self) -> Levels:
        """Active jobs by depth: a job stands below those whose output it reads."""
        return levels(self.active())

    def _place(self, job: RunningJob, positions: Positions) -> None:
        engine = job.engine
        state = job.spec.plan.changelog is not None
        inputs = [Input(topic, job.spec.schema(topic), tuple(engine.columns[topic]), state) for topic in engine.topics]
        self._intake.join(job.name, inputs, job.spec.start, positions)
        for topic, offsets in self._intake.positions(job.name).items():
            engine.expect(topic, offsets)
        job.totals = replace(job.totals, positions=self._intake.positions(job.name))
        job.began = job.began or job.totals.positions

    def _standing(self, job: RunningJob) -> pa.Table | None:
        """What stands in a state's topic from an earlier run, and goes with the first publish of this one.

        None if nothing does; or if others have written there too: whose rows the new ones replace is not known then.
        """
        topic = job.spec.output
        schema = self._broker.schema(topic) if job.writes_state and self._broker.exists(topic) else None
        if schema is None or (schema.changelog, schema.columns) != (job.engine.changelog, job.engine.output_schema):
            return None
        sharing = (j for j in self.jobs.values() if j.spec.output == topic and j.name != job.name)
        if any(other.state in (JobState.RUNNING, JobState.PAUSED) for other in sharing):
            return None
        sets, end, _ = self._broker.read_range({topic: None}, EVERYTHING)[topic]
        if not end or end != self._written.get(topic):
            return None
        return state_of(self._codec, sets, schema)

    def _is_congested(self, job: str) -> bool:
        """Whether another job has yet to read more than a batch of what this one wrote."""
        return self._intake.backlog(self.jobs[job].spec.output) > self.size.most

    # -- the tick ---------------------------------------------------------------------------------------------------

    def tick(self, final: Collection[str] = ()) -> bool:
        """Take one cut of the inputs through all the jobs, and publish; True when there was anything to do.

        A job that reads what another one writes runs after it and gets its rows in the same tick; all that a tick
        writes becomes visible at once.

        Args:
            final: jobs whose inputs are at their end: watermark +infinity, and the job is finished.
        """
        began_ns = time.perf_counter_ns()
        self._widen()
        levels = self.levels()
        made = {job.spec.output for level in levels for job in level if job.spec.output}
        writing = None
        if len(levels) > 1:
            writing = self._broker.transaction(made | {job.spec.dead_letters for level in levels for job in level})
        try:
            self._crew.run(self._intake.reading_ahead())  # what nobody has come to yet
            cut = self._intake.take(made)
            steps = self._run_and_publish(levels, cut, final, writing)
        finally:
            if writing is not None:
                writing.abort()
            forget()
        if not steps:
            return bool(cut.batches or self._narrow)
        now_us = self._clock.now_us()
        for job, step in steps:
            job.settle(step, now_us)
            if job.writes_state:
                self._written[job.spec.output] = self._written.get(job.spec.output, 0) + step.outcome.rows.num_rows
            if step.final:
                self._finish(job)
        self.size.adapt((time.perf_counter_ns() - began_ns) // 1_000, full=cut.full)
        # user code comes last: it may stop and start jobs, and finds the tick complete
        for job, step in steps:
            if step.outcome.rows.num_rows and job.stream.is_heard:
                job.stream.emit(visible_rows(step.outcome.rows))
        return True

    def _run_and_publish(self, levels: Levels, cut: Cut, final: Collection[str], writing: Transaction | None) -> Steps:
        """Every job of the tick, those that feed others first; gives the steps that count.

        None do when the broker refuses an output: the engines are ahead of their topics then, so the jobs are over.
        """
        steps: Steps = []
        lagging: set[str] = set()
        try:
            self._tell(cut)
            for level in levels:
                done = self._run(level, cut, final, lagging)
                steps += done
                if writing is not None and level is not levels[-1]:
                    self._intake.hand_over(writing.append(_rows_of(done)), cut)
                    self._tell(cut)
                else:
                    self._publish(steps, _rows_of(done), writing)
        except Exception as error:  # noqa: BLE001 (whatever it is, callers must not wait for jobs that cannot go on)
            concerned = {job.name for job, _ in steps} | cut.batches.keys()
            for job in self.active():
                if job.name in concerned:
                    self.fail(job, error)
            return []
        return steps

    def _tell(self, cut: Cut) -> None:
        """Tell jobs what went wrong with their inputs."""
        for name, error in cut.failed.items():
            self.fail(self.jobs[name], error)
        cut.failed.clear()
        for name, lost in cut.lost.items():
            self.jobs[name].lost += lost
        cut.lost.clear()
        self._narrow |= cut.narrow
        cut.narrow.clear()

    @property
    def narrow(self) -> list[Narrow]:
        """What the last tick met in inferred columns that do not hold it; the next tick begins with widening them."""
        return list(self._narrow.values())

    def _widen(self) -> None:
        """Make the jobs follow that met numbers too wide for a column in the last tick; they stay where they stand."""
        waiting, self._narrow = self._narrow, {}
        for name, narrow in waiting.items():
            job = self.jobs.get(name)
            if job is None or job.state is not JobState.RUNNING:
                continue
            try:
                self.widening.follow(job, narrow)
                self._place(job, job.totals.positions)
                job.arrived = False
            except Exception as error:  # noqa: BLE001 (one job's failure must not end the others)
                self.fail(job, error)

    def _run(self, level: list[RunningJob], cut: Cut, final: Collection[str], lagging: set[str]) -> Steps:
        """What the jobs of a level make of the tick, in their order; those that fail are over.

        They share nothing, so they work side by side, and whoever has nothing to do reads ahead, or does chores.
        """
        begun = [one for job in level if (one := self._begin(job, cut, final, lagging)) is not None]
        tasks = [Task(one.run, one.rows, one.job.cost, one.job.at_home) for one in begun]
        self._crew.run([*tasks, *self._chores(), *self._intake.reading_ahead()])
        done: Steps = []
        for one, task in zip(begun, tasks, strict=True):
            if task.error is not None:  # whatever it is, it must not end the others
                self.fail(one.job, task.error)
            elif one.step is not None:
                done.append((one.job, one.step))
        return done

    def _begin(self, job: RunningJob, cut: Cut, final: Collection[str], lagging: set[str]) -> Begun | None:
        """One job's part of the tick, ready to run; None when it has nothing to do, or failed.

        Args:
            lagging: what jobs write that have not read as much as others; added to when this is one of them.
        """
        if job.state is not JobState.RUNNING:
            return None
        if job.name in self._narrow:
            lagging.add(job.spec.output)
            return None
        try:
            lags = self._lags(job, lagging)
            if lags:
                lagging.add(job.spec.output)
            inputs, idle = cut.batches.get(job.name, {}), self._intake.idle(job.name, job.spec.idle_us)
            ends = job.name in final
            withhold = job.writes_state and lags and not ends
            if not (inputs or ends or job.news(idle) or (job.withholds and not withhold)):
                return None
            positions = self._intake.positions(job.name)
            return Begun(job, inputs, positions, ends, idle, withhold, self._clock.now_us())
        except Exception as error:  # noqa: BLE001 (one job's failure, whatever it is, must not end the others)
            self.fail(job, error)
            return None

    def _lags(self, job: RunningJob, lagging: AbstractSet[str]) -> bool:
        """Whether it has yet to read as much as others at its start, or reads what such a job writes.

        Args:
            lagging: topics that such jobs write.
        """
        if not job.arrived:
            job.arrived = not self._intake.behind(job.name)
        return not job.arrived or not lagging.isdisjoint(job.spec.inputs)

    def _publish(self, steps: Steps, outputs: list[Output], writing: Transaction | None) -> None:
        """Append the dead letters of all steps and `outputs`; what the tick has written becomes visible at once."""
        for job, step in steps:
            if step.rejected:
                self._broker.create_topic(job.spec.dead_letters, schema=DEAD_LETTER_SCHEMA)
                letters = rejected_batch(step.rejected, job.name, self._clock)
                outputs.append(Output(job.spec.dead_letters, letters))
        if writing is not None:
            writing.commit(outputs)
        elif outputs:
            self._broker.publish(outputs)

    def _finish(self, job: RunningJob) -> None:
        job.measure()
        self._intake.leave(job.name)
        job.close(JobState.FINISHED)

    def readers(self) -> list[Reader]:
        """The readers in use."""
        return self._intake.readers()

    def measure(self) -> None:
        """Refresh what jobs know of their operators' state."""
        for job in self.active():
            job.measure()

    def close(self) -> None:
        """Stop every job and let go of everything."""
        for job in list(self.jobs.values()):
            if job.state in (JobState.RUNNING, JobState.PAUSED):
                self.stop(job)
            job.stream.destroy()
        self._crew.close()


def _rows_of(steps: Steps) -> list[Output]:
    """What the steps append to their jobs' output topics."""
    return [
        output
        for job, step in steps
        if job.spec.output and step.outcome.rows.num_rows
        for output in row_outputs(job.spec.output, step.outcome.rows, job.engine.key)
    ]


def _as_failure(name: str, error: Exception) -> JobFailedError:
    detail = error.message if isinstance(error, VeloError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, VeloError) else None
    failure = JobFailedError(f"job {name} failed: {detail}", hint=hint or f"mend the cause, then RESTART JOB {name}")
    failure.__cause__ = error
    return failure
