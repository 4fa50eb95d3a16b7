"""``velo generate``: the simulated market as files, or into a running server; Nexmark's auction house as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from velostream_nb.cli.base import VeloCommand, connect
from velostream_nb.cli.market import MarketFeed, market_config, market_options
from velostream_nb.cli.waiting import until_signalled


@click.command(
    cls=VeloCommand,
    example="velo generate --out data --format parquet --events 1000000 --seed 7\n"
    "velo generate --to 'http://127.0.0.1:8080/?token=…' --scenario volatility --minutes 10\n"
    "velo generate --what nexmark --out data --events 1000000 --behind-ms 2000",
)
@click.option(
    "--what",
    type=click.Choice(("market", "nexmark")),
    default="market",
    show_default=True,
    help="A market, or the auction house of the Nexmark queries.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Folder for one file a topic."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("jsonl", "parquet")),
    default="jsonl",
    show_default=True,
    help="Kind of files.",
)
@click.option(
    "--events",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    help="Records over the topics, for files.",
)
@click.option("--to", "url", metavar="URL", help="Server to produce into, paced by the clock, instead of files.")
@click.option("--token", envvar="VELO_TOKEN", show_envvar=True, help="Token of that server, unless it is in the URL.")
@click.option(
    "--minutes", type=click.FloatRange(min=0), default=0, help="How long to produce; 0 is until Ctrl-C.  [default: 0]"
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Event time a second, for a server.",
)
@click.option(
    "--behind-ms",
    type=click.IntRange(min=0),
    help="How far behind the newest one a record may arrive, for nexmark.  [default: 0]",
)
@market_options
def generate(
    what: str,
    out: Path | None,
    kind: str,
    events: int,
    url: str | None,
    token: str | None,
    minutes: float,
    speed: float,
    behind_ms: int | None,
    **market: Any,
) -> None:
    """Simulate a market, into files or a server.

    Quotes, positions and orders, seeded and reproducible. Into files as fast as the disk takes them, or into a running
    server as time goes by. With --what nexmark: people, auctions and bids, into files.
    """
    if (out is None) == (url is None):
        raise click.UsageError("give either --out DIR or --to URL")
    if what == "nexmark":
        _nexmark(out, kind, events, behind_ms, market)
        return
    if behind_ms is not None:
        raise click.UsageError("--behind-ms is for --what nexmark; a market has --late and --disorder")
    if out is not None:
        from velostream_generator import write

        for topic, rows in write(market_config(**market), out, format=kind, events=events).items():
            click.echo(f"{out / f'{topic}.{kind}'}: {rows:,} records")
        return
    rate = market.pop("rate")
    with connect(url, token) as session:
        feed = MarketFeed(session, market_config(**market), speed=speed, rate=rate)
        with until_signalled() as stopped:
            feed.start()
            stopped.wait(minutes * 60 or None, or_when=feed.over)
            feed.stop()
        if feed.error is not None:
            raise feed.error
    for topic, rows in feed.emitted.items():
        click.echo(f"{topic}: {rows:,} records")


def _nexmark(out: Path | None, kind: str, events: int, behind_ms: int | None, given: dict[str, Any]) -> None:
    """Person, auction and bid as files."""
    from velostream_generator import NexmarkConfig, write_nexmark

    if out is None:
        raise click.UsageError("--what nexmark writes files: give --out DIR")
    wanted = {name: value for name, value in given.items() if value is not None}
    unused = sorted(set(wanted) - {"seed", "rate"})
    if unused:
        raise click.UsageError(f"--{unused[0]} is for a market, not for --what nexmark")
    config = NexmarkConfig(events=events, disorder_ms=behind_ms or 0, **wanted)
    for topic, rows in write_nexmark(config, out, format=kind).items():
        click.echo(f"{out / f'{topic}.{kind}'}: {rows:,} records")
