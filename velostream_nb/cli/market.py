"""The simulated market as options, and as a thread that feeds a session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from velostream_generator import MarketConfig, Payload

    from velostream_nb.core.model import SessionLike

F = TypeVar("F", bound=Callable[..., Any])

SCENARIO_NAMES = ("calm", "volatility", "arbitrage", "risk", "mixed")
FAULT_NAMES = ("late", "disorder", "duplicate", "malformed")


def market_options(function: F) -> F:
    """``--scenario``, ``--seed``, ``--rate``, ``--symbols`` and the faults."""
    probability = click.FloatRange(0, 1)
    options = (
        click.option(
            "--scenario", type=click.Choice(SCENARIO_NAMES), help="What happens in the market.  [default: mixed]"
        ),
        click.option("--seed", type=click.IntRange(min=0), help="Same seed, same market.  [default: 42]"),
        click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Records a second over the topics."),
        click.option(
            "--symbols",
            type=click.Path(path_type=Path),
            metavar="FILE.toml",
            help="Your own symbols, prices, settings.",
        ),
        click.option("--late", type=probability, help="Share of records that arrive late.  [default: 0]"),
        click.option("--disorder", type=probability, help="Share that arrive a little out of order.  [default: 0]"),
        click.option("--duplicate", type=probability, help="Share that arrive twice.  [default: 0]"),
        click.option("--malformed", type=probability, help="Share that arrive broken.  [default: 0]"),
    )
    for option in reversed(options):
        function = option(function)
    return function


def market_config(symbols: Path | None, **given: Any) -> MarketConfig:
    """The market that options describe; what was not given is the file's, or the default.

    Raises:
        MarketConfigError: a value or the file cannot be used.
    """
    from velostream_generator import MarketConfig

    config = MarketConfig() if symbols is None else MarketConfig.from_toml(symbols)
    faults = {name: given.pop(name) for name in FAULT_NAMES if given.get(name) is not None}
    plain = {name: value for name, value in given.items() if value is not None and name not in FAULT_NAMES}
    if faults:
        plain["faults"] = replace(config.faults, **faults)
    return replace(config, **plain)


class MarketFeed:
    """A simulated market that produces into a session, on a thread of its own.

    Args:
        speed: event time that passes in a second, 1.0 for real time.
        rate: records a second of wall time; None keeps the configuration's intervals.

    Attributes:
        error: what ended it before it was stopped, if anything did.
        emitted: records by topic, once it has stopped.
        over: set when it has ended, by `stop` or by an error.
    """

    def __init__(
        self, session: SessionLike, config: MarketConfig, *, speed: float = 1.0, rate: float | None = None
    ) -> None:
        self.error: Exception | None = None
        self.emitted: dict[str, int] = {}
        self.over = threading.Event()
        self._session, self._config, self._speed, self._rate = session, config, speed, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="velo-market", daemon=True)

    def start(self) -> MarketFeed:
        """Begin to produce."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Produce no more; returns when the last records are in. Safe to call twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _produce(self, topic: str, rows: Payload) -> None:
        self._session.produce(topic, rows)

    def _run(self) -> None:
        from velostream_generator import live

        try:
            self.emitted = live(
                self._config, on_batch=self._produce, stop=self._stop, speed=self._speed, rate=self._rate
            )
        except Exception as error:  # noqa: BLE001 (the command's thread reports it)
            self.error = error
        finally:
            self.over.set()
