"""Fair prices: correlated geometric Brownian motion with real time steps, plus what episodes do to it.

Time is cut into *slots*: one per exchange and market interval, in the order in which the exchanges quote. The price of
every symbol is drawn once per slot, so that a quote never knows the price of a later one, and two exchanges differ by
the move between their moments and nothing more.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from velostream_generator.config import TRADING_SECONDS_PER_YEAR, MarketConfig, RandomStream
from velostream_generator.episodes import FADE_MS, Episode, EpisodeKind, Timeline

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

_STRESS_SLOTS = 64
"""How many slots the realised volatility behind the spread looks back."""
_STRESS_PER_MOVE = 100.0
"""A symbol displaced by 1 % is quoted with twice its ordinary spread, by 7 % with eight times."""


class MidPath:
    """The fair price of each symbol over the slots from `first_slot` on.

    Attributes:
        log_mid: natural logarithm of the price, slots × symbols.
        displaced: what episodes added to it, slots × symbols; 0 in a calm market.
        stress: how much wider than ordinary the spread is, slots × symbols; about 1 in a calm market.
        first_slot: number of the first row of all three, counted from the start of the simulation.
    """

    def __init__(self, config: MarketConfig, timeline: Timeline) -> None:
        self._config = config
        self._timeline = timeline
        self._random = config.random(RandomStream.PRICES)
        self._market_us = config.cadence.market_us
        self._exchanges = len(config.exchanges)
        self._column = {symbol.name: column for column, symbol in enumerate(config.symbols)}
        volatility = np.array([symbol.volatility for symbol in config.symbols])
        years = self._market_us / self._exchanges / 1e6 / TRADING_SECONDS_PER_YEAR
        self._sigma = volatility * np.sqrt(years)
        self._level = np.log([symbol.price for symbol in config.symbols])
        self._squares = np.ones((_STRESS_SLOTS - 1, len(config.symbols)))
        self.first_slot = 0
        self.log_mid: Floats = np.empty((0, len(config.symbols)))
        self.displaced: Floats = np.empty((0, len(config.symbols)))
        self.stress: Floats = np.empty((0, len(config.symbols)))

    @property
    def end_slot(self) -> int:
        """The first slot that is not drawn yet."""
        return self.first_slot + len(self.log_mid)

    @property
    def end_us(self) -> int:
        """Prices are known before this moment after the start."""
        return self.end_slot // self._exchanges * self._market_us

    def extend(self, ticks: int) -> None:
        """Draw the next `ticks` market intervals."""
        slots = ticks * self._exchanges
        shape = (slots, len(self._level))
        rho = self._config.correlation
        market = self._random.standard_normal((slots, 1))
        shocks = np.sqrt(rho) * market + np.sqrt(1.0 - rho) * self._random.standard_normal(shape)
        path = self._level + np.cumsum(self._sigma * shocks - self._sigma**2 / 2.0, axis=0)
        self._level = path[-1]
        displaced = self._displacement(slots)
        self.log_mid = np.concatenate([self.log_mid, path + displaced])
        self.displaced = np.concatenate([self.displaced, displaced])
        self.stress = np.concatenate([self.stress, self._stress(shocks, displaced)])

    def forget_before(self, slot: int) -> None:
        """Drop the slots that nobody will ask for again."""
        surplus = max(0, slot - self.first_slot)
        self.log_mid, self.displaced = self.log_mid[surplus:], self.displaced[surplus:]
        self.stress = self.stress[surplus:]
        self.first_slot += surplus

    def slot_at(self, moment_us: Integers) -> Integers:
        """The slot of each moment (microseconds after the start)."""
        tick, rest_us = np.divmod(moment_us, self._market_us)
        slot: Integers = tick * self._exchanges + rest_us * self._exchanges // self._market_us
        return slot

    def mid_at(self, moment_us: Integers, column: Integers) -> Floats:
        """The fair price in dollars of each symbol (by its column) at each moment."""
        log_mid: Floats = self.log_mid[self.slot_at(moment_us) - self.first_slot, column]
        return np.exp(log_mid)

    def displaced_at(self, moment_us: Integers, column: Integers) -> Floats:
        """How far episodes have moved each symbol (by its column) at each moment, as a share of its price."""
        displaced: Floats = self.displaced[self.slot_at(moment_us) - self.first_slot, column]
        return np.abs(displaced)

    def before(self, episode: Episode) -> float:
        """The logarithm of the fair price in the last slot before the episode, or in the first slot there is."""
        start_us = np.array([(episode.start_ms - self._config.start_ms) * 1_000])
        row = int(self.slot_at(start_us)[0]) - 1 - self.first_slot
        return float(self.log_mid[max(0, row), self._column[episode.symbol]])

    def _stress(self, shocks: Floats, displaced: Floats) -> Floats:
        squares = np.concatenate([self._squares, shocks**2])
        self._squares = squares[len(shocks) :]
        total = np.cumsum(np.concatenate([np.zeros((1, squares.shape[1])), squares]), axis=0)
        realised = np.sqrt((total[_STRESS_SLOTS:] - total[:-_STRESS_SLOTS]) / _STRESS_SLOTS)
        stress: Floats = realised * (1.0 + _STRESS_PER_MOVE * np.abs(displaced))
        return stress

    def _displacement(self, slots: int) -> Floats:
        """What the episodes add to the logarithm of the price in the next `slots` slots."""
        displaced = np.zeros((slots, len(self._level)))
        start_us = self.end_us
        slot_us = start_us + np.arange(slots) * self._market_us // self._exchanges
        start_ms = self._config.start_ms
        first_ms, last_ms = start_ms + start_us // 1_000, start_ms + int(slot_us[-1]) // 1_000 + 1
        kinds = (EpisodeKind.VOLATILITY, EpisodeKind.ARBITRAGE)
        for episode in self._timeline.between(first_ms - FADE_MS, last_ms, *kinds):
            after_us = slot_us - (episode.start_ms - start_ms) * 1_000
            displaced[:, self._column[episode.symbol]] += np.log1p(episode.magnitude) * _shape(episode, after_us)
        return displaced


def _shape(episode: Episode, after_us: Integers) -> Floats:
    """The share of the displacement that is there so long after the episode's start: 1 at once, 0 at last.

    It fades as a parabola that ends flat: never so fast that exchanges a second apart would cross each other.
    """
    length_us = (episode.end_ms - episode.start_ms) * 1_000
    hold_us, fade_us = (0, length_us) if episode.kind is EpisodeKind.VOLATILITY else (length_us, FADE_MS * 1_000)
    left = 1.0 - np.clip((after_us - hold_us) / fade_us, 0.0, 1.0)
    return np.where(after_us >= 0, left**2, 0.0)
