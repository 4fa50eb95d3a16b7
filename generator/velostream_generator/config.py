"""What market to simulate: one frozen dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

import numpy as np

from velostream_generator.checks import require_integer, require_names, require_number
from velostream_generator.errors import MarketConfigError, near_names
from velostream_generator.faults import Faults

SCENARIOS = ("calm", "volatility", "arbitrage", "risk", "mixed")
"""What happens beside the ordinary market; `episodes.py` says when."""

TRADING_SECONDS_PER_YEAR = 252 * 6.5 * 3600
"""252 sessions of six and a half hours: the unit in which annual volatilities are quoted."""

DEFAULT_START_MS = 1_767_623_400_000
"""2026-01-05 14:30 UTC: a Monday's opening bell in New York, and the start of a minute."""

ORDERS_PER_SYMBOL = (3, 10)
"""Fewest and most orders of one symbol in one orders interval, both included."""

SYMBOLS_PER_TRADER = 5
"""How many symbols a trader holds, or all of them when there are fewer."""

MAX_RATE = 1e6
"""Events a second of event time; times are kept in microseconds."""

MAX_PRICE = 100_000.0
MIN_PRICE = 1.0


@dataclass(frozen=True, slots=True)
class Symbol:
    """A stock: its price (USD) when the simulation starts and its annual volatility (0.25 is 25 %)."""

    name: str
    price: float
    volatility: float

    def __post_init__(self) -> None:
        require_names("symbol", [self.name])
        require_number(f"price of {self.name}", self.price, MIN_PRICE, MAX_PRICE, "US dollars")
        require_number(f"volatility of {self.name}", self.volatility, 0.001, 5.0, "a year, 0.25 for 25 %")


DEFAULT_SYMBOLS = (
    Symbol("AAPL", 175.0, 0.25),
    Symbol("GOOGL", 140.0, 0.30),
    Symbol("MSFT", 350.0, 0.25),
    Symbol("AMZN", 140.0, 0.35),
    Symbol("TSLA", 250.0, 0.50),
    Symbol("NVDA", 450.0, 0.40),
    Symbol("META", 320.0, 0.35),
    Symbol("NFLX", 450.0, 0.40),
)
DEFAULT_EXCHANGES = ("NYSE", "NASDAQ", "BATS")


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often each topic ticks, in microseconds of event time; what the intervals and `rate` come to."""

    market_us: int
    positions_us: int
    orders_us: int


class RandomStream(IntEnum):
    """Each part of the market draws from its own stream, so that changing one leaves the others as they were."""

    PRICES = 0
    QUOTES = 1
    POSITIONS = 2
    ORDERS = 3
    EPISODES = 4
    FAULTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """A market to simulate. Equal configurations give equal rows, in every process and for every step size.

    Attributes:
        symbols, exchanges: in the order in which rows of one moment appear.
        start_ms: event time of the beginning, epoch milliseconds.
        seed: 0 or more; every random draw follows from it.
        scenario: one of `SCENARIOS`.
        market_interval_ms: each symbol is quoted on each exchange once in every such interval.
        positions_interval_ms: each trader reports all positions once in every such interval.
        orders_interval_ms: each symbol gets 3–10 orders in every such interval.
        traders: how many; they are TRADER_001, TRADER_002, … and hold `SYMBOLS_PER_TRADER` symbols each.
        correlation: of any two symbols' returns, through one market factor; 0 up to but not 1.
        rate: events a second of event time over the three topics; scales the three intervals together. None keeps
            them. Above about 70,000 several quotes of one symbol and exchange share a millisecond.
        faults: what is wrong with the records that arrive; the default is nothing.
    """

    symbols: tuple[Symbol, ...] = DEFAULT_SYMBOLS
    exchanges: tuple[str, ...] = DEFAULT_EXCHANGES
    start_ms: int = DEFAULT_START_MS
    seed: int = 42
    scenario: str = "mixed"
    market_interval_ms: int = 1_000
    positions_interval_ms: int = 5_000
    orders_interval_ms: int = 2_000
    traders: int = 20
    correlation: float = 0.4
    rate: float | None = None
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        require_names("symbol", [symbol.name for symbol in self.symbols])
        require_names("exchange", list(self.exchanges))
        if self.scenario not in SCENARIOS:
            raise MarketConfigError(
                f"unknown scenario {self.scenario!r}", hint=near_names(str(self.scenario), SCENARIOS)
            )
        if self.scenario == "arbitrage" and len(self.exchanges) < 2:
            raise MarketConfigError("scenario 'arbitrage' with one exchange", hint="name at least two exchanges")
        day_ms = 86_400_000
        for name in ("market_interval_ms", "positions_interval_ms", "orders_interval_ms"):
            require_integer(name, getattr(self, name), 1, day_ms)
        require_integer("start_ms", self.start_ms, 0, 2**52)
        require_integer("seed", self.seed, 0, 2**63 - 1)
        require_integer("traders", self.traders, 1, 10_000)
        require_number("correlation", self.correlation, 0.0, 0.99, "0 for independent symbols")
        if self.rate is not None:
            require_number("rate", self.rate, 0.001, MAX_RATE, "events a second of event time")

    @property
    def positions(self) -> int:
        """How many (trader, symbol) pairs report in each positions interval."""
        return self.traders * min(SYMBOLS_PER_TRADER, len(self.symbols))

    @property
    def cadence(self) -> Cadence:
        """The three intervals with `rate` applied."""
        factor = 1.0
        if self.rate is not None:
            plain = (self.market_interval_ms, self.positions_interval_ms, self.orders_interval_ms)
            per_second = sum(1_000 * rows / ms for rows, ms in zip(self.rows_per_tick, plain, strict=True))
            factor = per_second / self.rate
        return Cadence(
            market_us=max(1, round(self.market_interval_ms * 1_000 * factor)),
            positions_us=max(1, round(self.positions_interval_ms * 1_000 * factor)),
            orders_us=max(1, round(self.orders_interval_ms * 1_000 * factor)),
        )

    @property
    def rows_per_tick(self) -> tuple[int, int, float]:
        """Rows per interval of market data, positions and (on average) orders."""
        quotes = len(self.symbols) * len(self.exchanges)
        return quotes, self.positions, len(self.symbols) * sum(ORDERS_PER_SYMBOL) / 2

    @property
    def rows_per_second(self) -> float:
        """Events a second of event time, over the three topics and on average."""
        cadence = self.cadence
        intervals_us = (cadence.market_us, cadence.positions_us, cadence.orders_us)
        return sum(1e6 * rows / us for rows, us in zip(self.rows_per_tick, intervals_us, strict=True))

    def random(self, stream: RandomStream, *key: int) -> np.random.Generator:
        """The generator of one stream (and sub-stream), fresh at its beginning."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(int(stream), *key)))

    @classmethod
    def from_toml(cls, path: str | Path, **overrides: object) -> MarketConfig:
        """Read a market from a TOML file; `overrides` (fields of this class) win over the file.

        The file holds any of this class's fields, a table ``[faults]``, and one table per symbol::

            scenario = "volatility"
            exchanges = ["NYSE", "NASDAQ"]

            [symbols.SHOP]
            price = 90.5
            volatility = 0.45

        Raises:
            MarketConfigError: the file cannot be read, a name is unknown or a value does not fit.
        """
        from velostream_generator.config_file import read_market  # it builds this class: imported late, no cycle

        return read_market(Path(path), overrides)
