"""``velo run``: an application over files, to the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velostream_nb.cli.base import Pairs, VeloCommand, pairs, read_text, source_option
from velostream_nb.cli.lean import started

if TYPE_CHECKING:
    from velostream_nb.jobs.summary import Progress, RunSummary


@click.command(
    cls=VeloCommand,
    example="velo generate --out data --events 100000\n"
    "velo run sql/financial_trading.sql --sink-dir out \\\n"
    "    --source market_data=data/market_data.jsonl \\\n"
    "    --source trading_positions=data/trading_positions.jsonl \\\n"
    "    --source order_book_updates=data/order_book_updates.jsonl",
)
@click.argument("app", metavar="APP.sql", type=click.Path(path_type=Path))
@source_option
@click.option(
    "--sink",
    "sinks",
    multiple=True,
    type=Pairs("TOPIC=FILE"),
    help="File for an output topic, of the kind its name says. Repeatable.",
)
@click.option(
    "--sink-dir", type=click.Path(path_type=Path), help="Folder that gets TOPIC.jsonl for every other output topic."
)
@click.option("--batch-rows", type=click.IntRange(min=1), help="Records of a source in one tick; changes no result.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads that work at the jobs; else one for each core.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output, and nothing else.")
def run(
    app: Path,
    sources: tuple[tuple[str, str], ...],
    sinks: tuple[tuple[str, str], ...],
    sink_dir: Path | None,
    batch_rows: int | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Run an application over files, to the end.

    A backtest, a test, a batch. Several sources advance together in event time; at the end the windows close. The same
    engine, and the same answers, as live.
    """
    text, files, outputs = read_text(app), pairs("--source", sources), pairs("--sink", sinks)
    if not files:
        raise click.UsageError("no input: give --source TOPIC=FILE")
    if not outputs and sink_dir is None:
        raise click.UsageError("no output: give --sink TOPIC=FILE or --sink-dir DIR")
    from velostream_nb.jobs.batch import BATCH_ROWS, run_files

    with started(), _bar() as progress:
        summary = run_files(
            text,
            files,
            outputs,
            sink_dir=sink_dir,
            batch_rows=batch_rows or BATCH_ROWS,
            progress=progress,
            threads=threads,
        )
    if as_json:
        click.echo(json.dumps({**asdict(summary), "ok": summary.ok}, indent=2))
    else:
        _print(summary)
    if not summary.ok:
        sys.exit(1)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error when that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars

    from velostream_nb.cli.show import console

    columns = (bars.BarColumn(), bars.TaskProgressColumn(), bars.TextColumn("{task.description}"))
    with bars.Progress(*columns, console=console(err=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def show(now: Progress) -> None:
            rate = now.rows_in / now.seconds if now.seconds else 0.0
            bar.update(task, completed=now.fraction, description=f"{now.rows_in:,} rows  {rate:,.0f} rows/s")

        yield show


def _print(summary: RunSummary) -> None:
    from velostream_nb.cli.show import console, grid

    columns = ("job", "state", "output", "rows in", "rows out", "late", "failed", "seconds", "rows/s")
    rows = (
        (
            job.name,
            job.state.value,
            job.output,
            job.rows_in,
            job.rows_out,
            job.late,
            job.failed,
            round(job.seconds, 2),
            round(job.rows_per_s),
        )
        for job in summary.jobs
    )
    console().print(grid(columns, rows))
    click.echo(
        f"{summary.rows_in:,} rows in {summary.seconds:.2f} s: {summary.rows_per_s:,.0f} rows/s, "
        f"peak memory {summary.peak_memory_bytes / 2**20:,.0f} MiB"
    )
    for path, count in summary.written.items():
        click.echo(f"  {path}: {count:,} rows")
    if summary.unwritten:
        click.echo(f"  without a sink: {', '.join(summary.unwritten)}")
    for job in summary.jobs:
        if job.error:
            click.echo(f"error: {job.error}", err=True)
