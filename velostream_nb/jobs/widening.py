"""When a field of a topic that nobody declared turns from whole numbers to fractions while jobs read it.

The schema that was inferred is widened, for everybody, and a job that reads the field is planned anew between two
ticks. What it has read so far is run through the new plan, without output, so that its state, and with it everything it
gives from then on, is what it would be had the field been wide from the beginning. The records that did not fit are
read once more.

Why not DOUBLE from the start: whole numbers are ids and counts more often than not, which nobody wants to see as 1.0,
and beyond 2^53 DOUBLE does not hold them. Where a topic keeps no longer what a job has read, its state cannot be made
again: the job then stays as it is, and takes such records for ones that do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.codecs.contract import Codec
from velostream_nb.codecs.widen import widened_schema
from velostream_nb.core.clock import Clock
from velostream_nb.core.types import sql_type
from velostream_nb.engine.job import JobEngine
from velostream_nb.jobs.feeds import Feed, Input, aligned
from velostream_nb.jobs.outputs import output_schema
from velostream_nb.jobs.running import JobSpec, RunningJob

REPLAY_ROWS = 50_000
"""Records of a topic that are replayed at once."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """What a job met in a topic: the type that each of these paths needs."""

    topic: str
    paths: Mapping[str, pa.DataType]


class Widening:
    """Widens schemas and makes jobs follow. Belongs to the thread that ticks.

    Attributes:
        plan_anew: the same job, planned against what its topics are today; None where nobody can, and jobs then take
            records that do not fit for such.
    """

    def __init__(self, broker: Broker, codec: Codec, clock: Clock) -> None:
        self.plan_anew: Callable[[JobSpec], JobSpec] | None = None
        self._broker = broker
        self._codec = codec
        self._clock = clock

    def follow(self, job: RunningJob, narrow: Narrow) -> None:
        """Make a job, which is off its feeds, take what it could not; its position stays.

        Raises what planning and computing raise; the job is then of no more use.
        """
        before = job.spec.schema(narrow.topic)
        self._widen_schema(narrow)
        spec = self.plan_anew(job.spec) if self.plan_anew is not None else job.spec
        after = spec.schema(narrow.topic)
        if after.columns.equals(before.columns):  # what is wanted is no widening, or somebody has declared it
            job.spec = replace(spec, rigid=True)
            return
        if not job.rebuild(spec, lambda engine: self._replay(job, spec, engine)):
            job.spec = replace(job.spec, rigid=True)
            names = ", ".join(narrow.paths)
            job.remarks.append(
                f"{names} of {narrow.topic} cannot become wider: records it has read are gone; declare the columns"
            )
            return
        changed = [f"{path} {sql_type(dtype)}" for path, dtype in narrow.paths.items()]
        job.remarks.append(f"{narrow.topic} was widened: {', '.join(changed)}")
        self._widen_output(job)

    def _widen_schema(self, narrow: Narrow) -> None:
        schema = self._broker.schema(narrow.topic)
        if schema is None or not schema.inferred:
            return
        columns = widened_schema(schema, narrow.paths)
        if not columns.equals(schema.columns):
            self._broker.set_schema(narrow.topic, replace(schema, columns=columns))

    def _widen_output(self, job: RunningJob) -> None:
        topic = job.spec.output
        known = self._broker.schema(topic) if topic and self._broker.exists(topic) else None
        if known is not None and known.inferred:
            engine = job.engine
            self._broker.set_schema(
                topic, output_schema(engine.output_schema, engine.key, engine.changelog, inferred=True)
            )

    def _replay(self, job: RunningJob, spec: JobSpec, engine: JobEngine) -> bool:
        """Run all that the job has read through another engine; False when some of it is gone."""
        until = job.totals.positions
        feeds = []
        for topic in engine.topics:
            wish = Input(topic, spec.schema(topic), tuple(engine.columns[topic]))
            reader = self._broker.reader(topic, job.began[topic])
            feeds.append(Feed(topic, reader, self._clock.now_us(), {job.name: wish}))
            engine.expect(topic, until[topic])
        try:
            while behind := [feed for feed in feeds if not feed.reached(until[feed.topic])]:
                for feed in behind:
                    feed.look()
                polled = {f.topic: f.poll(REPLAY_ROWS, until[f.topic]) for f in aligned(behind)}
                if not any(polled.values()) or any(feed.reader.skipped for feed in feeds):
                    return False
                now_us = self._clock.now_us()
                decoded = {f.topic: f.decode(self._codec, polled[f.topic], now_us) for f in behind if f.topic in polled}
                engine.tick({topic: runs.get(job.name, []) for topic, runs in decoded.items()}, now_us=now_us)
            return not any(feed.reader.skipped for feed in feeds)
        finally:
            for feed in feeds:
                feed.reader.close()
