"""One tick: a cut of all the inputs, every job to the end, one publish. No thread and no waiting here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from velostream_nb.brokers.contract import Broker, Output, Reader
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import JobError, JobFailedError, VeloError
from velostream_nb.core.model import JobState
from velostream_nb.jobs.intake import BatchSize, Cut, Input, Intake, Positions
from velostream_nb.jobs.outputs import row_outputs, visible_rows
from velostream_nb.jobs.running import JobSpec, RunningJob, Step
from velostream_nb.sinks.dead_letter import DEAD_LETTER_SCHEMA, rejected_batch


class Ticker:
    """Jobs and their feeds. All of it belongs to one thread; other threads may look at `jobs` values' `info`.

    Args:
        codec: decodes what feeds read.
        size: how much a tick reads; adapts itself.
        backpressure: hold a job's inputs while another job is far behind in reading its output. For runs to the end,
            where memory is bounded and nobody waits; live, a latecomer must not stop those it reads from.
    """

    def __init__(
        self,
        broker: Broker,
        codec: Codec,
        clock: Clock,
        size: BatchSize | None = None,
        *,
        backpressure: bool = False,
    ) -> None:
        self.jobs: dict[str, RunningJob] = {}
        self.size = size or BatchSize()
        self._broker = broker
        self._clock = clock
        held = self._is_congested if backpressure else None
        self._intake = Intake(broker, codec, clock, self.size, held)

    # -- the life of jobs -------------------------------------------------------------------------------------------

    def start(self, job: RunningJob, *, ready: Callable[[], None] | None = None) -> None:
        """Compile a job and place it at its start; it takes part from the next tick on.

        Args:
            ready: called once it compiles and before it takes its name; what it raises ends the start.

        Raises what the engine raises about the plan, UnknownTopicError, and JobError when jobs would feed one another
        in a circle; the job is then not known. A job of the same name is dropped once this one compiles.
        """
        self._refuse_circle(job.spec)
        job.open(self._clock.now_us())
        try:
            if ready is not None:
                ready()
            old = self.jobs.get(job.name)
            if old is not None and old is not job:
                self.drop(old)
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
        job.state = JobState.RUNNING

    def stop(self, job: RunningJob) -> None:
        """Give up the state; a stopped job can only be restarted."""
        self._intake.leave(job.name)
        job.close(JobState.STOPPED)

    def restart(self, job: RunningJob) -> None:
        """Fresh state, from the start that was asked for."""
        self.stop(job)
        self.start(job)

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

    def levels(self) -> list[list[RunningJob]]:
        """Active jobs by depth: a job stands below those whose output it reads."""
        waiting = {job.name: job for job in self.active()}
        levels = []
        while waiting:
            made = {job.spec.output: name for name, job in waiting.items()}
            level = [job for job in waiting.values() if not any(made.get(t) for t in job.spec.inputs)]
            assert level, "jobs that feed one another in a circle are refused at their start"
            levels.append(level)
            for job in level:
                del waiting[job.name]
        return levels

    def _place(self, job: RunningJob, positions: Positions) -> None:
        engine = job.engine
        inputs = [Input(topic, job.spec.schema(topic), tuple(engine.columns[topic])) for topic in engine.topics]
        self._intake.join(job.name, inputs, job.spec.start, positions)
        for topic, offsets in self._intake.positions(job.name).items():
            engine.expect(topic, offsets)
        job.totals = replace(job.totals, positions=self._intake.positions(job.name))

    def _is_congested(self, job: str) -> bool:
        """Whether another job has yet to read more than a batch of what this one wrote."""
        return self._intake.backlog(self.jobs[job].spec.output) > self.size.most

    def _refuse_circle(self, spec: JobSpec) -> None:
        fed: set[str] = set()
        pending = [spec.output]
        while pending:
            topic = pending.pop()
            if topic in spec.inputs:
                raise JobError(
                    f"job {spec.name} would read its own output: {' -> '.join([topic, *sorted(fed - {topic}), topic])}",
                    hint="choose another 'output.topic'",
                )
            fed.add(topic)
            live = (
                j for j in self.jobs.values() if j.state in (JobState.RUNNING, JobState.PAUSED) and j.name != spec.name
            )
            pending += [j.spec.output for j in live if topic in j.spec.inputs and j.spec.output not in fed]

    # -- the tick ---------------------------------------------------------------------------------------------------

    def tick(self, final: Collection[str] = ()) -> bool:
        """Take one cut of the inputs through all the jobs, and publish; True when there was anything to do.

        Args:
            final: jobs whose inputs are at their end: watermark +infinity, and the job is finished.
        """
        began_ns = time.perf_counter_ns()
        cut = self._intake.take()
        for name, error in cut.failed.items():
            self.fail(self.jobs[name], error)
        for name, lost in cut.lost.items():
            self.jobs[name].lost += lost
        steps = self._run(cut, final)
        if not steps:
            return bool(cut.batches)
        steps = self._publish(steps)
        now_us = self._clock.now_us()
        for job, step in steps:
            job.settle(step, now_us)
            if step.final:
                self._finish(job)
        self.size.adapt((time.perf_counter_ns() - began_ns) // 1_000, full=cut.full)
        # user code comes last: it may stop and start jobs, and finds the tick complete
        for job, step in steps:
            job.stream.emit(visible_rows(step.outcome.rows))
        return True

    def _run(self, cut: Cut, final: Collection[str]) -> list[tuple[RunningJob, Step]]:
        steps = []
        for job in self.active():
            inputs, idle = cut.batches.get(job.name, {}), self._intake.idle(job.name, job.spec.idle_us)
            ends = job.name in final
            if not (inputs or ends or job.news(idle)):
                continue
            try:
                steps.append((job, job.step(inputs, self._intake.positions(job.name), final=ends, idle=idle)))
            except Exception as error:  # noqa: BLE001 (one job's failure, whatever it is, must not end the others)
                self.fail(job, error)
        return steps

    def _publish(self, steps: list[tuple[RunningJob, Step]]) -> list[tuple[RunningJob, Step]]:
        """Append everything at once; gives the steps that count (none when the broker refused)."""
        outputs: list[Output] = []
        try:
            for job, step in steps:
                if job.spec.output:
                    outputs += row_outputs(job.spec.output, step.outcome.rows, job.engine.key)
                if step.rejected:
                    self._broker.create_topic(job.spec.dead_letters, schema=DEAD_LETTER_SCHEMA)
                    letters = rejected_batch(step.rejected, job.name, self._clock)
                    outputs.append(Output(job.spec.dead_letters, letters))
            if outputs:
                self._broker.publish(outputs)
        except Exception as error:  # noqa: BLE001 (the engines are ahead of their topics now, so these jobs are over)
            for job, _ in steps:
                self.fail(job, error)
            return []
        return steps

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


def ends(broker: Broker, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """Where each topic ends now, per partition."""
    found = {}
    for topic in topics:
        reader = broker.reader(topic, "latest")
        found[topic] = dict(reader.positions())
        reader.close()
    return found


def _as_failure(name: str, error: Exception) -> JobFailedError:
    detail = error.message if isinstance(error, VeloError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, VeloError) else None
    failure = JobFailedError(f"job {name} failed: {detail}", hint=hint or f"mend the cause, then RESTART JOB {name}")
    failure.__cause__ = error
    return failure
