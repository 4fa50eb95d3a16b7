"""Looking at a server's jobs and topics, and stopping them."""

from __future__ import annotations

import click

from velostream_nb.cli.base import VeloCommand, connect, server_options
from velostream_nb.cli.waiting import until_signalled

POLL_S = 0.25


@click.command(cls=VeloCommand, example="velo jobs --server http://127.0.0.1:8080 --token …")
@server_options
def jobs(server: str | None, token: str | None) -> None:
    """List the jobs of a server."""
    from velostream_nb.cli.show import console, grid

    with connect(server, token) as session:
        rows = [
            (
                i.name,
                i.state.value,
                ", ".join(i.inputs),
                i.output,
                i.rows_in,
                i.rows_out,
                round(i.rate),
                i.late,
                i.failed,
            )
            for i in session.jobs()
        ]
    console().print(grid(("job", "state", "inputs", "output", "rows in", "rows out", "rows/s", "late", "failed"), rows))


@click.command(cls=VeloCommand, example="velo topics --server http://127.0.0.1:8080 --token …")
@server_options
def topics(server: str | None, token: str | None) -> None:
    """List the topics of a server."""
    from velostream_nb.cli.show import console, grid

    with connect(server, token) as session:
        rows = [
            (i.name, i.rows, i.latest, i.bytes, ", ".join(f"{name} {kind}" for name, kind in i.columns.items()))
            for i in session.topics()
        ]
    console().print(grid(("topic", "rows", "ever", "bytes", "columns"), rows))


@click.command(cls=VeloCommand, example="velo stop price_movements --server http://127.0.0.1:8080 --token …")
@click.argument("name")
@server_options
def stop(name: str, server: str | None, token: str | None) -> None:
    """Stop a job of a server; its output topic stays."""
    with connect(server, token) as session:
        info = session.control(name, "stop")
    click.echo(f"job {info.name} is {info.state.value}")


@click.command(cls=VeloCommand, example="velo tail price_alerts -n 5 --follow --server http://127.0.0.1:8080 --token …")
@click.argument("topic")
@click.option(
    "-n", "rows", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Newest records to begin with."
)
@click.option("--follow", is_flag=True, help="Go on with new ones until Ctrl-C.")
@server_options
def tail(topic: str, rows: int, follow: bool, server: str | None, token: str | None) -> None:
    """Print the newest records of a topic as JSON lines."""
    from velostream_nb.cli.show import show_table
    from velostream_nb.core.errors import UnknownTopicError, did_you_mean

    with connect(server, token) as session, until_signalled() as stopped:
        known = [info.name for info in session.topics()]
        if topic not in known:
            raise UnknownTopicError(f"unknown topic {topic!r}", hint=did_you_mean(topic, known))
        frame = session.frames({topic: None}, limit=rows)[topic]
        show_table(frame.rows, "json")
        while follow and not stopped:
            stopped.wait(POLL_S)
            frame = session.frames({topic: frame.next})[topic]
            if frame.skipped:
                click.echo(f"… {frame.skipped:,} records skipped", err=True)
            show_table(frame.rows, "json")
