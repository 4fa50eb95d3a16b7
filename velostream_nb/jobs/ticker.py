"""One tick: a cut of all the inputs, every job to the end, one publish. No thread and no waiting here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from velostream_nb.brokers.contract import Broker, Output, Reader
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import JobError, JobFailedError, VeloError
from velostream_nb.core.model import JobState
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.jobs.feeds import Feed, aligned, groups
from velostream_nb.jobs.outputs import row_outputs, visible_rows
from velostream_nb.jobs.running import JobSpec, RunningJob, Step, Totals
from velostream_nb.sinks.dead_letter import DEAD_LETTER_SCHEMA, rejected_batch

Batches = dict[str, list[Decoded]]
"""Decoded runs by topic: what one job gets in one tick."""


@dataclass(slots=True)
class BatchSize:
    """How many records a feed polls at once: small while a tick takes long, large while there is a backlog.

    Attributes:
        rows: the size now.
        least, most: its bounds, inclusive.
        target_us: a tick that takes less than half of it may grow the size, one that takes twice of it shrinks it.
            None: always `most`, for runs where only throughput counts.
    """

    rows: int = 2_000
    least: int = 500
    most: int = 100_000
    target_us: int | None = 100_000

    def adapt(self, took_us: int, *, full: bool) -> None:
        """Learn from one tick; `full` when some feed had at least `rows` to read."""
        if self.target_us is None:
            self.rows = self.most
        elif full and took_us < self.target_us // 2:
            self.rows = min(self.rows * 2, self.most)
        elif took_us > self.target_us * 2:
            self.rows = max(self.rows // 2, self.least)


@dataclass(slots=True)
class Taken:
    """The cut of one tick: decoded runs by job and topic."""

    batches: dict[str, Batches] = field(default_factory=dict)
    full: bool = False

    def add(self, topic: str, decoded: Mapping[str, list[Decoded]]) -> None:
        for job, runs in decoded.items():
            if runs:
                self.batches.setdefault(job, {}).setdefault(topic, []).extend(runs)


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
        self._codec = codec
        self._clock = clock
        self._feeds: list[Feed] = []
        self._backpressure = backpressure

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
            self._subscribe(job, {})
        except VeloError as error:
            job.close(JobState.FAILED, error)
            raise
        self.jobs[job.name] = job

    def pause(self, job: RunningJob) -> None:
        """Stop reading; the state and the position stay."""
        self._unsubscribe(job)
        job.state = JobState.PAUSED

    def resume(self, job: RunningJob) -> None:
        """Go on where `pause` left off."""
        self._subscribe(job, job.totals.positions)
        job.state = JobState.RUNNING

    def stop(self, job: RunningJob) -> None:
        """Give up the state; a stopped job can only be restarted."""
        self._unsubscribe(job)
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
        self._unsubscribe(job)
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

    # -- feeds ------------------------------------------------------------------------------------------------------

    def _subscribe(self, job: RunningJob, positions: Mapping[str, Mapping[int, int]]) -> None:
        """Place a job on its inputs, on a feed that stands there already where there is one."""
        opened = []
        try:
            for topic in job.engine.topics:
                reader = self._broker.reader(topic, positions.get(topic) or job.spec.start)
                opened.append(Feed(topic, job.spec.schema(topic), reader, self._clock.now_us()))
        except VeloError:
            for feed in opened:
                feed.reader.close()
            raise
        for feed in opened:
            shared = next((f for f in self._feeds if _same_topic(f, feed) and f.positions() == feed.positions()), None)
            if shared is None:
                self._feeds.append(feed)
            else:
                feed.reader.close()
            (shared or feed).wanted[job.name] = tuple(job.engine.columns[feed.topic])
        job.totals = _at(job, self._positions(job.name))

    def _unsubscribe(self, job: RunningJob) -> None:
        for feed in self._feeds:
            if feed.wanted.pop(job.name, None) is not None and not feed.wanted:
                feed.reader.close()
        self._feeds = [feed for feed in self._feeds if feed.wanted]

    def _positions(self, job: str) -> dict[str, dict[int, int]]:
        return {feed.topic: dict(feed.positions()) for feed in self._feeds if job in feed.wanted}

    def _leaders(self, group: list[Feed]) -> dict[int, Feed]:
        """For a group that has nearly caught up: the feed that each of its feeds can merge into, by id.

        Empty unless every feed of the group that has a counterpart ahead is within one batch of it: a group joins as a
        whole, else its slowest feed would hold back the jobs it joins.
        """
        leaders: dict[int, Feed] = {}
        for feed in group:
            rivals = [f for f in self._feeds if _same_topic(f, feed) and f not in group]
            gaps = [(gap, i) for i, f in enumerate(rivals) if (gap := feed.gap(f)) is not None]
            if rivals and not gaps:
                return {}
            if gaps:
                gap, nearest = min(gaps)
                if gap > self.size.most:
                    return {}
                leaders[id(feed)] = rivals[nearest]
        return leaders

    # -- the tick ---------------------------------------------------------------------------------------------------

    def tick(self, final: Collection[str] = ()) -> bool:
        """Take one cut of the inputs through all the jobs, and publish; True when there was anything to do.

        Args:
            final: jobs whose inputs are at their end: watermark +infinity, and the job is finished.
        """
        began_ns = time.perf_counter_ns()
        taken = self._take()
        steps = self._run(taken, final)
        if not steps:
            return bool(taken.batches)
        steps = self._publish(steps)
        now_us = self._clock.now_us()
        for job, step in steps:
            job.settle(step, now_us)
            if step.final:
                self._finish(job)
        self.size.adapt((time.perf_counter_ns() - began_ns) // 1_000, full=taken.full)
        # user code comes last: it may stop and start jobs, and finds the tick complete
        for job, step in steps:
            if step.outcome.rows.num_rows:
                job.emit(visible_rows(step.outcome.rows))
        return True

    def _take(self) -> Taken:
        taken = Taken()
        for feed in list(self._feeds):
            self._look(feed)
        catching_up = []
        for group in groups(self._feeds):
            if self._leaders(group):
                catching_up.append(group)
                continue
            for feed in aligned(group):
                if not (self._backpressure and self._congested(feed)):
                    self._poll(feed, taken)
        # those that catch up read last, up to where the feeds they join now stand
        for group in catching_up:
            self._merge(group, self._leaders(group), taken)
        return taken

    def _congested(self, feed: Feed) -> bool:
        """Whether some job of this feed writes what another one has yet to read more than a batch of."""
        written = {self.jobs[name].spec.output for name in feed.wanted}
        return any(f.topic in written and f.lag_rows > self.size.most for f in self._feeds)

    def _look(self, feed: Feed) -> None:
        try:
            feed.look()
        except VeloError as error:  # the topic was deleted, or the broker is gone
            self._fail_readers(feed, error)

    def _poll(self, feed: Feed, taken: Taken) -> None:
        if not feed.wanted:  # its last job failed a moment ago, in this very tick
            return
        try:
            sets = feed.poll(self.size.rows)
            self._note_loss(feed)
            taken.full |= sum(records.rows for records in sets) >= self.size.rows
            self._decode(feed, sets, taken)
        except Exception as error:  # noqa: BLE001 (whatever reading one topic raises must not end the jobs that do not read it)
            self._fail_readers(feed, error)

    def _merge(self, group: list[Feed], leaders: Mapping[int, Feed], taken: Taken) -> None:
        """Bring a group up to the feeds it follows, and move its jobs onto those whose position it reached."""
        polled = aligned(group)
        for feed in group:
            leader = leaders.get(id(feed))
            if leader is None:
                if feed in polled:
                    self._poll(feed, taken)
                continue
            try:
                sets, arrived = feed.poll_to(leader.positions(), self.size.most)
                self._note_loss(feed)
                self._decode(feed, sets, taken)
            except Exception as error:  # noqa: BLE001 (as in _poll)
                self._fail_readers(feed, error)
                continue
            if arrived:
                leader.wanted.update(feed.wanted)
                feed.wanted.clear()
                feed.reader.close()
        self._feeds = [feed for feed in self._feeds if feed.wanted]

    def _decode(self, feed: Feed, sets: list[RecordSet], taken: Taken) -> None:
        if sets:
            taken.add(feed.topic, feed.decode(self._codec, sets, self._clock.now_us()))

    def _note_loss(self, feed: Feed) -> None:
        lost = feed.reader.skipped - feed.skipped
        feed.skipped += lost
        for name in feed.wanted if lost else ():
            self.jobs[name].lost += lost

    def _fail_readers(self, feed: Feed, error: Exception) -> None:
        for name in list(feed.wanted):
            self.fail(self.jobs[name], error)

    def _run(self, taken: Taken, final: Collection[str]) -> list[tuple[RunningJob, Step]]:
        steps = []
        for job in self.active():
            inputs, idle = taken.batches.get(job.name, {}), self._idle(job)
            ends = job.name in final
            if not (inputs or ends or job.news(idle)):
                continue
            try:
                steps.append((job, job.step(inputs, self._positions(job.name), final=ends, idle=idle)))
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
        self._unsubscribe(job)
        job.close(JobState.FINISHED)

    # -- idleness and looks -----------------------------------------------------------------------------------------

    def _idle(self, job: RunningJob) -> frozenset[tuple[str, int]]:
        now_us = self._clock.now_us()
        idle: set[tuple[str, int]] = set()
        for feed in self._feeds:
            if job.name in feed.wanted:
                timeout_us = job.spec.idle_us(feed.topic)
                if timeout_us is not None or feed.reader.ended:
                    idle.update((feed.topic, p) for p in feed.idle(now_us, timeout_us or 0))
        return frozenset(idle)

    def readers(self) -> list[Reader]:
        """The readers in use."""
        return [feed.reader for feed in self._feeds]

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


def _same_topic(one: Feed, other: Feed) -> bool:
    return one.topic == other.topic and (one.schema is other.schema or one.schema == other.schema)


def _at(job: RunningJob, positions: Mapping[str, Mapping[int, int]]) -> Totals:
    return replace(job.totals, positions=positions)


def _as_failure(name: str, error: Exception) -> JobFailedError:
    detail = error.message if isinstance(error, VeloError) else f"{type(error).__name__}: {error}"
    hint = error.hint if isinstance(error, VeloError) else None
    failure = JobFailedError(f"job {name} failed: {detail}", hint=hint or f"mend the cause, then RESTART JOB {name}")
    failure.__cause__ = error
    return failure
