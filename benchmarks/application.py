"""An application over files, in a process of its own: what `velo run` does, in the way in which it does it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from velostream_nb.jobs.summary import RunSummary


def run(
    text: str,
    sources: Mapping[str, str],
    sinks: Mapping[str, str] | None = None,
    *,
    sink_dir: str | Path | None = None,
    batch_rows: int,
) -> RunSummary:
    """`run_files`, and before it the quick start of the command. Call it before anything heavy is imported.

    Raises:
        AssertionError: a job failed.
    """
    from velostream_nb.cli.lean import start_lean, started

    start_lean()
    from velostream_nb.jobs.batch import run_files

    with started():
        summary = run_files(text, sources, sinks, sink_dir=sink_dir, batch_rows=batch_rows)
    assert summary.ok, [job.error for job in summary.jobs if job.error]
    return summary
