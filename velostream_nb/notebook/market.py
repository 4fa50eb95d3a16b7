"""A market inside the notebook's own session: data within a second, and nothing to install or start."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.core.errors import ConfigError, VeloError
from velostream_nb.core.model import SessionLike
from velostream_nb.core.types import sql_type

if TYPE_CHECKING:
    from velostream_generator import MarketConfig, Payload

logger = logging.getLogger(__name__)

DEFAULT_SPEED = 10.0
HEAD_START_S = 6.0
"""Wall time that a market has behind it when it starts, so that the first query and the first chart find rows."""
HEAD_START_EVENT_S = 600.0
"""The same in event time, at most: a fast market must not begin with millions of rows."""

_START_TIMEOUT_S = 10.0


class Market:
    """A running market: eight stocks on three exchanges, their orders, and what twenty traders hold.

    Made by `market`. It ends with `stop`, or with its session.

    Args:
        start_ms: event time from which it may begin at the earliest, so that a second market does not run behind the
            watermark that the first has left.

    Attributes:
        event_ms: event time of its newest record, epoch milliseconds.
        error: why it ended by itself; None while it runs, and after `stop`.
    """

    def __init__(
        self, session: SessionLike, config: MarketConfig, *, speed: float, start_ms: int, clock: Clock | None = None
    ) -> None:
        self.scenario, self.seed, self.speed = config.scenario, config.seed, speed
        self.event_ms = start_ms
        self.error: str | None = None
        # weak: a session that nobody else holds must be able to close itself
        self._session = weakref.ref(session)
        self._stop = threading.Event()
        self._flowing = threading.Event()
        self._clock = _HeadStart(clock or SystemClock(), min(HEAD_START_S, HEAD_START_EVENT_S / speed))
        self._start_ms = max(start_ms, self._clock.begin_us(speed) // 1_000)
        self._thread = threading.Thread(target=self._run, args=(config,), name="velo-market", daemon=True)
        self._thread.start()
        self._flowing.wait(_START_TIMEOUT_S)

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the feed; what it produced stays. Safe to call twice and from any thread."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _run(self, config: MarketConfig) -> None:
        from velostream_generator import live

        try:
            live(
                config,
                on_batch=self._produce,
                stop=self._stop,
                clock=self._clock,
                speed=self.speed,
                start_ms=self._start_ms,
            )
        except VeloError as error:
            # a session that was closed ends its market silently; anything else is worth telling
            if not getattr(self._session(), "closed", True):
                self.error = error.message
                logger.warning("the market stopped: %s", error)
        finally:
            self._flowing.set()

    def _produce(self, topic: str, payload: Payload) -> None:
        session = self._session()
        if session is None or getattr(session, "closed", False):
            self._stop.set()
            return
        session.produce(topic, payload)
        if isinstance(payload, pa.RecordBatch) and payload.num_rows:
            self.event_ms = max(self.event_ms, payload.column("timestamp")[-1].value // 1_000)
        self._flowing.set()

    def __repr__(self) -> str:
        state = "runs" if self.running else f"stopped: {self.error}" if self.error else "stopped"
        return f"market {state}: scenario {self.scenario}, {self.speed:g} × real time, seed {self.seed}"


class _HeadStart:
    """A clock whose first answer lies in the past: the feed begins by catching up, all at once."""

    def __init__(self, clock: Clock, head_s: float) -> None:
        self._clock = clock
        self._head_us = int(head_s * 1_000_000)
        self._asked = False

    def begin_us(self, speed: float) -> int:
        """Event time at which to begin, so that after the head start it is the clock's."""
        return self._clock.now_us() - int(self._head_us * speed)

    def now_us(self) -> int:
        head_us, self._asked = 0 if self._asked else self._head_us, True
        return self._clock.now_us() - head_us

    def sleep_us(self, duration_us: int) -> None:
        self._clock.sleep_us(duration_us)


_markets: weakref.WeakKeyDictionary[Any, Market] = weakref.WeakKeyDictionary()


def market(session: SessionLike, scenario: str = "mixed", *, speed: float = DEFAULT_SPEED, seed: int = 42) -> Market:
    """Let a market flow into the session's topics ``market_data``, ``order_book_updates`` and ``trading_positions``.

    Returns once the first rows are there. A session has one market: the same one asked for again is kept as it is, and
    another one takes its place, going on in event time.

    Args:
        scenario: calm, volatility, arbitrage, risk or mixed (episodes of each).
        speed: event time that passes in a second.
        seed: the same seed gives the same prices.

    Raises:
        ConfigError: an option does not fit.
    """
    from velostream_generator import SCHEMAS, MarketConfig, MarketConfigError

    if not 0.001 <= speed <= 1_000:
        raise ConfigError(f"speed must be from 0.001 to 1000, got {speed:g}", hint="1 is real time, 10 ten times that")
    try:
        config = MarketConfig(scenario=scenario, seed=seed)
    except MarketConfigError as error:
        raise ConfigError(error.message, hint=error.hint) from error
    known = _markets.get(session)
    if known is not None:
        if known.running and (known.scenario, known.speed, known.seed) == (scenario, speed, seed):
            return known
        known.stop()
    session.sql(";\n".join(_declaration(topic, schema) for topic, schema in SCHEMAS.items()))
    started = Market(session, config, speed=speed, start_ms=known.event_ms + 1 if known else 0)
    _markets[session] = started
    return started


def current_market(session: SessionLike) -> Market | None:
    """The market of a session, running or stopped; None when it never had one."""
    return _markets.get(session)


def _declaration(topic: str, schema: pa.Schema) -> str:
    columns: Mapping[str, str] = {field.name: sql_type(field.type) for field in schema}
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"CREATE STREAM IF NOT EXISTS {topic} ({listed})"
