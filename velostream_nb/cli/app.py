"""The group ``velo``. Imports click and nothing heavy: what a command needs is imported when it runs."""

from __future__ import annotations

import platform

import click

from velostream_nb import __version__
from velostream_nb.cli.base import VeloCommand, VeloGroup
from velostream_nb.cli.demo import demo
from velostream_nb.cli.generate import generate
from velostream_nb.cli.reference import reference
from velostream_nb.cli.remote import jobs, stop, tail, topics
from velostream_nb.cli.run import run
from velostream_nb.cli.server import server
from velostream_nb.cli.sql import sql


@click.group(cls=VeloGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="velo", message="%(prog)s %(version)s")
def velo() -> None:
    """Streaming SQL for people who live in notebooks.

    Start with: velo demo
    """


@click.command(cls=VeloCommand, example="velo version")
def version() -> None:
    """Print the versions of velo and of what it stands on."""
    from importlib.metadata import version as installed

    click.echo(f"velo {__version__}")
    click.echo(f"python {platform.python_version()}")
    for package in ("duckdb", "pyarrow", "sqlglot", "streamz", "voila"):
        click.echo(f"{package} {installed(package)}")


for command in (demo, run, generate, sql, server, jobs, topics, stop, tail, version, reference):
    velo.add_command(command)
