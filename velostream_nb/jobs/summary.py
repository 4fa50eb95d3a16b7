"""What a run over files has done, and how far it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from velostream_nb.core.model import JobState
from velostream_nb.jobs.running import RunningJob


@dataclass(frozen=True, slots=True)
class JobSummary:
    """What one job did. `late` rows came behind the watermark; `failed` ones went to the dead letters.

    `seconds` is the time spent in the job's own operators, `rows_per_s` its input over that.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    state: JobState
    rows_in: int
    rows_out: int
    late: int
    failed: int
    seconds: float
    rows_per_s: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        rows_in: records read from the sources, each once.
        seconds, cpu_seconds: of the wall and of this process, over the whole run.
        rows_per_s: `rows_in` over `seconds`.
        peak_memory_bytes: the most memory the process has held since it began.
        written: rows by file written.
        unwritten: output topics that had rows and no sink.
    """

    jobs: tuple[JobSummary, ...]
    rows_in: int
    seconds: float
    cpu_seconds: float
    rows_per_s: float
    peak_memory_bytes: int
    written: Mapping[str, int]
    unwritten: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every job came to the end of its input."""
        return all(job.state is JobState.FINISHED for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `fraction` of the sources read, from 0 to 1, and records so far."""

    fraction: float
    rows_in: int
    seconds: float


def summary_of(job: RunningJob) -> JobSummary:
    """What one job did."""
    totals = job.totals
    seconds = totals.busy_us / 1_000_000
    return JobSummary(
        name=job.name,
        inputs=job.spec.inputs,
        output=job.spec.output,
        state=job.state,
        rows_in=totals.rows_in,
        rows_out=totals.rows_out,
        late=totals.late,
        failed=totals.failed,
        seconds=seconds,
        rows_per_s=totals.rows_in / seconds if seconds else 0.0,
        error=None if job.error is None else str(job.error),
    )


def peak_memory_bytes() -> int:
    """The process's peak resident memory; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
