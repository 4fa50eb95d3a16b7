"""``velo server``: a session that others connect to."""

from __future__ import annotations

from pathlib import Path

import click

from velostream_nb.cli.base import VeloCommand, read_text
from velostream_nb.cli.waiting import until_signalled


@click.command(
    cls=VeloCommand,
    example="velo server --port 8080 --sql sql/financial_trading.sql\n"
    "curl -H 'Authorization: token …' http://127.0.0.1:8080/jobs",
)
@click.option(
    "--ip", default="127.0.0.1", show_default=True, help="Address to listen on; others than loopback need --token."
)
@click.option(
    "--port",
    envvar="SQL_SERVER_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port; 0 takes any free one.",
)
@click.option(
    "--token",
    envvar="VELO_TOKEN",
    show_envvar=True,
    help="Asked for everywhere but on /health; a random one by default.",
)
@click.option("--sql", "app", type=click.Path(path_type=Path), metavar="FILE", help="Statements to run first.")
def server(ip: str, port: int, token: str | None, app: Path | None) -> None:
    """Serve a session over HTTP, with its dashboards, until Ctrl-C.

    Notebooks and commands connect with velo.connect("http://…") or --server URL.
    """
    text = None if app is None else read_text(app)
    with until_signalled() as stopped:
        from velostream_nb.jobs.session import Session
        from velostream_nb.server.serving import JobServer

        with Session() as session:
            served = JobServer(session, ip=ip, port=port, token=token)
            try:
                for result in session.sql(text) if text else ():
                    click.echo(result.message)
                served.start()
                click.echo(f"Server: {served.url}/?token={served.token}")
                click.echo(f"Dashboard: {served.dashboard_url()}")
                stopped.wait(None)
            finally:
                served.stop()
