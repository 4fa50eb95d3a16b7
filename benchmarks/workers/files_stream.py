"""The five jobs over files, JSON lines out: what `velo run` does, in the way in which it does it."""

from __future__ import annotations

from typing import Any

from benchmarks.child import serve


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``sources`` (file by topic), ``out`` (folder, or None: nothing is written), ``batch_rows``."""
    from velostream_nb.cli.lean import start_lean, started

    start_lean()
    from velostream_nb.core.files import shipped
    from velostream_nb.jobs.batch import run_files

    text = shipped("sql/financial_trading.sql").read_text()
    with started():
        summary = run_files(text, options["sources"], sink_dir=options["out"], batch_rows=options["batch_rows"])
    assert summary.ok, [job.error for job in summary.jobs]
    assert not any(job.late or job.failed for job in summary.jobs), "rows came late or failed"
    return {
        "rows": summary.rows_in,
        "run_cpu_s": summary.cpu_seconds,
        "run_wall_s": summary.seconds,
        "jobs": {job.name: {"rows": job.rows_out, "busy_s": job.seconds} for job in summary.jobs},
    }


if __name__ == "__main__":
    serve(work)
