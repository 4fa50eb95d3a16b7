"""``velo sql``: statements over files or on a server, rows on standard output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from velostream_nb.cli.base import Pairs, VeloCommand, connect, pairs, read_text, server_options, source_option

if TYPE_CHECKING:
    from velostream_nb.core.model import Result, SessionLike


@click.command(
    cls=VeloCommand,
    example="velo sql --source trades=trades.parquet 'SELECT symbol, avg(price) FROM trades GROUP BY symbol'\n"
    "velo sql --server http://127.0.0.1:8080 --token … 'SHOW JOBS'",
)
@click.argument("text", required=False)
@click.option("-f", "--file", "file", type=click.Path(path_type=Path), help="Statements from a file instead.")
@source_option
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    type=Pairs("NAME=VALUE"),
    help="Value of $NAME in the text; numbers as such, all else as text. Repeatable.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long SELECT … EMIT CHANGES LIMIT n waits; it then prints the rows that have come.",
)
@server_options
@click.option(
    "--format",
    "kind",
    type=click.Choice(("table", "json", "csv")),
    default="table",
    show_default=True,
    help="How rows are printed; json is one object a line.",
)
def sql(
    text: str | None,
    file: Path | None,
    sources: Sequence[tuple[str, str]],
    params: Sequence[tuple[str, str]],
    timeout: float | None,
    server: str | None,
    token: str | None,
    kind: str,
) -> None:
    """Run SQL over files, or on a server, and print the rows.

    Over files, jobs that the text starts run to the end, and their output is printed too.
    """
    if (text is None) == (file is None):
        raise click.UsageError("give the SQL as an argument, or -f FILE")
    files = pairs("--source", sources)
    given = click.get_current_context().get_parameter_source("server")
    if files and server and given is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--source reads files here and --server asks another process: give one of them")
    statements = text if file is None else read_text(file)
    values = {name: _value(value) for name, value in pairs("--param", params).items()}
    with _session(files, None if files else server, token) as session:
        results = session.sql(statements or "", params=values, timeout=timeout)
        for result in results:
            _print(result, kind)
        if files or not server:
            _print_outputs(session, results, kind)


@contextmanager
def _session(files: dict[str, str], server: str | None, token: str | None) -> Iterator[SessionLike]:
    if server:
        with connect(server, token) as remote:
            yield remote
        return
    from velostream_nb.jobs.over_files import session_over_files

    with session_over_files(files) as session:
        yield session


def _print(result: Result, kind: str) -> None:
    if result.table is None:
        click.echo(result.message, err=True)
        return
    from velostream_nb.cli.show import show_table

    show_table(result.table, kind)


def _print_outputs(session: SessionLike, results: Sequence[Result], kind: str) -> None:
    """Run the jobs that were started to the end of the files, and print what they wrote."""
    from velostream_nb.cli.show import show_table

    started = [result.job for result in results if result.kind == "job" and result.job]
    if not started:
        return
    session.drain(final=True)
    for output in dict.fromkeys(session.job_info(name).output for name in started):
        show_table(session.read(output), kind)


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text
