"""Which jobs can be at work at once: those of one level, which do not read one another's output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from velostream_nb.core.errors import JobError
from velostream_nb.core.model import JobState
from velostream_nb.core.records import Decoded
from velostream_nb.jobs.intake import Positions
from velostream_nb.jobs.running import JobSpec, RunningJob, Step

Levels: TypeAlias = list[list[RunningJob]]
"""Jobs by depth: each stands below those whose output it reads."""


@dataclass(slots=True)
class Begun:
    """What one job is to do in a tick, and what became of it; arguments as for `RunningJob.step`."""

    job: RunningJob
    inputs: Mapping[str, Sequence[Decoded]]
    positions: Positions
    final: bool
    idle: frozenset[tuple[str, int]]
    withhold: bool
    now_us: int
    step: Step | None = None

    @property
    def rows(self) -> int:
        return sum(run.batch.num_rows for runs in self.inputs.values() for run in runs)

    def run(self) -> None:
        """Take the step."""
        self.step = self.job.step(
            self.inputs,
            self.positions,
            final=self.final,
            idle=self.idle,
            withhold=self.withhold,
            now_us=self.now_us,
        )


def levels(jobs: Iterable[RunningJob]) -> Levels:
    """Jobs by depth: a job stands below those whose output it reads."""
    waiting = {job.name: job for job in jobs}
    found = []
    while waiting:
        made = {job.spec.output for job in waiting.values() if job.spec.output}
        level = [job for job in waiting.values() if made.isdisjoint(job.spec.inputs)]
        assert level, "jobs that feed one another in a circle are refused at their start"
        found.append(level)
        for job in level:
            del waiting[job.name]
    return found


def refuse_circle(spec: JobSpec, jobs: Iterable[RunningJob]) -> None:
    """JobError when a job would read, directly or through others, what it writes."""
    live = [j for j in jobs if j.state in (JobState.RUNNING, JobState.PAUSED) and j.name != spec.name]
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
        pending += [j.spec.output for j in live if topic in j.spec.inputs and j.spec.output not in fed]
