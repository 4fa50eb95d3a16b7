"""The five jobs over files: JSON lines out."""

from __future__ import annotations

from typing import Any

from benchmarks import application
from benchmarks.child import serve


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``sources`` (file by topic), ``out`` (folder, or None: nothing is written), ``batch_rows``."""
    from velostream_nb.core.files import shipped

    text = shipped("sql/financial_trading.sql").read_text()
    summary = application.run(text, options["sources"], sink_dir=options["out"], batch_rows=options["batch_rows"])
    assert not any(job.late or job.failed for job in summary.jobs), "rows came late or failed"
    return {
        "rows": summary.rows_in,
        "run_cpu_s": summary.cpu_seconds,
        "run_wall_s": summary.seconds,
        "jobs": {job.name: {"rows": job.rows_out, "busy_s": job.seconds} for job in summary.jobs},
    }


if __name__ == "__main__":
    serve(work)
