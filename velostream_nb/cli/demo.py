"""``velo demo``: market, broker, five jobs and the dashboard, with one command."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from velostream_nb.cli.base import VeloCommand, read_text
from velostream_nb.cli.market import SCENARIO_NAMES, MarketFeed, market_config
from velostream_nb.cli.waiting import Stopped, until_signalled
from velostream_nb.core.files import shipped

APPLICATION = "sql/financial_trading.sql"


@click.command(cls=VeloCommand, example="velo demo\nvelo demo --minutes 1 --no-dashboard --summary summary.json")
@click.option(
    "--minutes",
    "--duration",
    "minutes",
    envvar="DEMO_DURATION",
    show_envvar=True,
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="How long; 0 is until Ctrl-C.",
)
@click.option(
    "--port",
    envvar="SQL_SERVER_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65_535),
    default=8080,
    show_default=True,
    help="Port of the dashboard on 127.0.0.1; 0 takes any free one.",
)
@click.option(
    "--scenario",
    type=click.Choice(SCENARIO_NAMES),
    default="mixed",
    show_default=True,
    help="What happens in the market.",
)
@click.option("--seed", type=click.IntRange(min=0), default=42, show_default=True, help="Same seed, same market.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Event time that passes in a second.",
)
@click.option("--dashboard/--no-dashboard", default=True, help="Whether to serve the dashboard.  [default: dashboard]")
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="JSON of what happened, at the end.",
)
@click.option(
    "--sql", "app", type=click.Path(path_type=Path), metavar="FILE", help="Your own jobs instead of the five."
)
def demo(
    minutes: float,
    port: int,
    scenario: str,
    seed: int,
    speed: float,
    dashboard: bool,
    summary: Path | None,
    app: Path | None,
) -> None:
    """Run the trading demo: a live market, five SQL jobs, a dashboard.

    Prints the address of the dashboard and runs until the time is over or Ctrl-C. Then everything is stopped, and one
    line a topic says how many rows the jobs wrote.
    """
    with until_signalled() as stopped:
        show = Show(app, scenario=scenario, seed=seed, speed=speed)
        with show:
            if dashboard:
                show.serve(port)
            show.begin()
            length = f"for {minutes:g} minute{'s' * (minutes != 1)}, or until Ctrl-C" if minutes else "until Ctrl-C"
            click.echo(f"Running {show.jobs} job{'s' * (show.jobs != 1)} {length}.")
            show.go_on(stopped, minutes * 60 or None)
        if summary is not None:
            write_summary(summary, show.summary())
        show.report()
        if show.feed.error is not None:
            raise show.feed.error


class Show:
    """One demo: session, jobs, market and, when asked for, the server of the dashboard.

    Use as a context manager: its end stops the market, lets the jobs finish what is in, and stops everything.
    """

    def __init__(self, app: Path | None, *, scenario: str, seed: int, speed: float) -> None:
        from velostream_nb.cli.tally import Tally
        from velostream_nb.jobs.session import Session

        self.given: dict[str, Any] = {"scenario": scenario, "seed": seed, "speed": speed}
        self._text = read_text(app or shipped(APPLICATION))
        self._stack = ExitStack()
        self.session = self._stack.enter_context(Session())
        self.url: str | None = None
        self.jobs = 0
        self.outputs: tuple[str, ...] = ()
        self.feed = MarketFeed(self.session, market_config(None, scenario=scenario, seed=seed), speed=speed)
        self._tally = Tally(self.session, speed=speed)

    def __enter__(self) -> Show:
        return self

    def serve(self, port: int) -> None:
        """Start the server and print the dashboard's address.

        Raises:
            ConfigError: the port is in use.
        """
        from velostream_nb.server.serving import JobServer

        server = JobServer(self.session, port=port)
        self._stack.callback(server.stop)
        self._start_jobs()
        server.start()
        self.url = server.dashboard_url()
        click.echo(f"Dashboard: {self.url}")

    def begin(self) -> None:
        """Start the jobs, if they do not run yet, and the market."""
        self._start_jobs()
        self._tally.watch(self.outputs)
        self.feed.start()

    def _start_jobs(self) -> None:
        if not self.outputs:
            self.session.sql(self._text)
            infos = self.session.jobs()
            self.jobs, self.outputs = len(infos), tuple(dict.fromkeys(info.output for info in infos))

    def go_on(self, stopped: Stopped, seconds: float | None) -> None:
        """Wait for the end of the time, a signal, or a market that broke."""
        stopped.wait(seconds, or_when=self.feed.over, look=self._tally.look)

    def __exit__(self, *_error: object) -> None:
        try:
            self.feed.stop()
            if self.outputs:
                self._tally.finish()
        finally:
            self._stack.close()

    def summary(self) -> dict[str, Any]:
        """What happened, as JSON has it."""
        return {**self.given, "dashboard": self.url is not None, "produced": self.feed.emitted, **self._tally.summary()}

    def report(self) -> None:
        """One line for each topic that the jobs wrote."""
        for topic, rows in self._tally.rows().items():
            click.echo(f"{topic}: {rows:,} rows")


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write it as JSON; ConfigError when the file cannot be written."""
    from velostream_nb.core.errors import ConfigError

    try:
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror or error}", hint="give --summary another file"
        ) from error
