"""The strip of jobs at the bottom: state, rate, lag, rows out, and the last error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from velostream_nb.core.model import JobInfo, JobState, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree

SHAPES = {
    JobState.STARTING: "○",
    JobState.RUNNING: "●",
    JobState.PAUSED: "❚❚",
    JobState.STOPPED: "■",
    JobState.FINISHED: "✓",
    JobState.FAILED: "✖",
}
"""A shape for each state, so that colour is never alone."""


class JobsStrip(Panel):
    """One cell a job, once a second."""

    wants_jobs: ClassVar[bool] = True
    every: ClassVar[int] = 2

    def __init__(self, session: SessionLike) -> None:
        super().__init__(session)
        self.jobs: Sequence[JobInfo] = ()
        self.board = Board("velo-jobs")

    @property
    def root(self) -> Any:
        return self.board

    def ingest_jobs(self, jobs: Sequence[JobInfo]) -> None:
        self.jobs = jobs

    def draw(self, _look: Look) -> None:
        cells = "".join(_cell(job) for job in self.jobs)
        failed = next((job for job in self.jobs if job.error), None)
        error = (
            '<span class="error dim">no errors</span>'
            if failed is None
            else f'<span class="error bad" title="{text.escape(failed.error)}">✖ {text.escape(failed.name)}: '
            f"{text.escape(failed.error)}</span>"
        )
        self.board.html = f'<span class="label">JOBS</span>{cells or "<span class=dim>none</span>"}{error}'

    def fault(self, _message: str | None) -> None:
        self.board.fault = ""

    def close(self) -> None:
        close_tree(self.root)


def _cell(job: JobInfo) -> str:
    counts = f"{job.rows_in} rows in, {job.late} late, {job.failed} rejected"
    tip = f"{job.state.value}: {', '.join(job.inputs)} → {job.output}; {counts}"
    # a running job's shape says enough; any other state is worth a word
    word = "" if job.state is JobState.RUNNING else f'<span class="amber">{text.escape(job.state.value)}</span>'
    return (
        f'<span class="job {job.state.value}" data-key="{text.escape(job.name)}" title="{text.escape(tip)}">'
        f'<span class="dot">{SHAPES[job.state]}</span><b>{text.escape(job.name)}</b>'
        f"{word}"
        f"<span>{text.compact(job.rate)}/s</span><span>lag {text.compact(job.lag_rows)}</span>"
        f"<span>out {text.compact(job.rows_out)}</span></span>"
    )
