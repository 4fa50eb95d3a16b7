"""order_book_updates: orders that arrive in regimes of balance and pressure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_generator.config import ORDERS_PER_SYMBOL, MarketConfig, RandomStream
from velostream_generator.episodes import EpisodeKind, Timeline
from velostream_generator.prices import Floats, Integers, MidPath
from velostream_generator.schemas import ORDER_BOOK_UPDATES, SCHEMAS

_REGIME_BUYING = np.array([0.5, 0.58, 0.42])
"""Share of the orders that buy: balanced, buy pressure, sell pressure. Ordinary pressure stays far from the 70 % that
count as an imbalance; episodes are what crosses it."""
_REGIME_WEIGHTS = np.array([0.6, 0.2, 0.2])
_REGIME_DWELL_US = 40_000_000
_MARKET_SHARE = 0.2
_MEAN_QUANTITY = 85.0
"""With some 195 orders a minute, a symbol's minute comes to 16,600 shares, and hardly ever to less than 10,000."""
_QUANTITY_SIGMA = 0.55
_WORKED_ORDER = 6.0
"""How much larger orders are while somebody works a large one: see `episodes.py`."""
_LIMIT_DISTANCE = 3.0e-4


class Orders:
    """Makes the rows of order_book_updates, tick by tick."""

    def __init__(self, config: MarketConfig, timeline: Timeline) -> None:
        self._config = config
        self._timeline = timeline
        self._random = config.random(RandomStream.ORDERS)
        self._orders_us = config.cadence.orders_us
        self._column = {symbol.name: column for column, symbol in enumerate(config.symbols)}
        self._regime = np.zeros(len(config.symbols), np.int64)
        self._change = 1.0 - np.exp(-self._orders_us / _REGIME_DWELL_US)

    def rows(self, first_tick: int, ticks: int, path: MidPath) -> tuple[Integers, pa.RecordBatch]:
        """Orders of these ticks, whose prices `path` knows.

        Returns:
            Event time in epoch milliseconds, ascending, and the rows.
        """
        shape = (ticks, len(self._config.symbols))
        buying, size = self._flow(first_tick, shape)
        fewest, most = ORDERS_PER_SYMBOL
        count = self._random.integers(fewest, most + 1, shape)
        # rounding the number of buyers at random, but not each order's side, keeps noise out of the balance
        buyers = np.floor(count * buying + self._random.random(shape)).astype(np.int64)

        cell = np.repeat(np.arange(count.size), count.ravel())
        nth = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count.ravel(), count.ravel())
        tick, column = np.divmod(cell, shape[1])
        sign = np.where(nth < buyers.ravel()[cell], 1.0, -1.0)
        within_us = (self._random.random(len(cell)) * self._orders_us).astype(np.int64)
        moment_us = (first_tick + tick) * self._orders_us + within_us
        order = np.argsort(moment_us, kind="stable")
        moment_us, column, sign, cell = moment_us[order], column[order], sign[order], cell[order]

        at_market = self._random.random(len(cell)) < _MARKET_SHARE
        distance = np.where(at_market, _LIMIT_DISTANCE / 3, -_LIMIT_DISTANCE * self._random.exponential(size=len(cell)))
        price = np.maximum(1.0, np.rint(path.mid_at(moment_us, column) * (1.0 + sign * distance) * 100.0)) / 100.0
        quantity = self._quantities(size.ravel()[cell])
        times = self._config.start_ms + moment_us // 1_000
        columns = [
            pa.array([symbol.name for symbol in self._config.symbols]).take(pa.array(column)),
            pa.array(["SELL", "BUY"]).take(pa.array((sign > 0).astype(np.int8))),
            pa.array(price),
            pa.array(quantity),
            pa.array(["LIMIT", "MARKET"]).take(pa.array(at_market.astype(np.int8))),
            pa.array(times * 1_000).cast(pa.timestamp("us")),
        ]
        return times, pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[ORDER_BOOK_UPDATES])

    def _quantities(self, size: Floats) -> Integers:
        median = _MEAN_QUANTITY * np.exp(-(_QUANTITY_SIGMA**2) / 2.0)
        noise = np.exp(_QUANTITY_SIGMA * self._random.standard_normal(len(size)))
        shares: Integers = np.maximum(1, np.rint(median * size * noise)).astype(np.int64)
        return shares

    def _flow(self, first_tick: int, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        """Share of buyers and relative size of orders, ticks × symbols."""
        buying, size = _REGIME_BUYING[self._regimes(shape)], np.ones(shape)
        tick_ms = self._config.start_ms + (first_tick + np.arange(shape[0])) * self._orders_us // 1_000
        for episode in self._timeline.between(int(tick_ms[0]), int(tick_ms[-1]) + 1, EpisodeKind.IMBALANCE):
            column = self._column[episode.symbol]
            worked = (tick_ms >= episode.start_ms) & (tick_ms < episode.end_ms)
            buying[worked, column] = episode.magnitude
            size[worked, column] = _WORKED_ORDER
        return buying, size

    def _regimes(self, shape: tuple[int, int]) -> Integers:
        """A hidden Markov chain per symbol: at each tick the regime stays, or is drawn anew."""
        changed = self._random.random(shape) < self._change
        drawn = self._random.choice(len(_REGIME_WEIGHTS), shape, p=_REGIME_WEIGHTS)
        regimes = np.concatenate([self._regime[None], drawn])
        last_change = np.where(changed, np.arange(1, shape[0] + 1)[:, None], 0)
        last_change = np.maximum.accumulate(last_change, axis=0)
        chain: Integers = np.take_along_axis(regimes, last_change, axis=0)
        self._regime = chain[-1]
        return chain
