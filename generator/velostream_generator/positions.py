"""trading_positions: traders who hold positions, trade them and mark them to market."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_generator.book import Book
from velostream_generator.config import SYMBOLS_PER_TRADER, MarketConfig, RandomStream
from velostream_generator.episodes import Episode, EpisodeKind, Timeline
from velostream_generator.prices import Floats, Integers, MidPath
from velostream_generator.schemas import SCHEMAS, TRADING_POSITIONS

_DAY_MS = 86_400_000
_TRADE_EVERY_US = 20_000_000
"""A trader trades each position about this often."""
_FLIP_SHARE = 0.02
_SMALLEST, _LARGEST = 30_000.0, 110_000.0
"""Dollars of a trader's usual position; it is worked between half and one and a half times of it. Five times 165,000,
some of them short, neither comes near the 500,000 of a warning nor loses 50,000 in a few 7 % jumps."""
_FILL_NOISE = 1.0e-4
"""A fill is this far from the fair price (standard deviation), on either side: who always paid the spread would be down
50,000 in half a day."""
_STEP_VALUE = 650_000.0
"""On its way past 1,000,000 and back a position stops here, where it is only warned about."""
_STAND_ASIDE = 0.005
"""Nobody trades as usual in a symbol that an episode has moved by more than this: the move passes, and thousands of
trades at passing prices would leave traders with P&L that nothing explains."""
_ERROR_DISTANCE = 0.3
"""An erroneous trade is this far off the market."""


def holdings(config: MarketConfig) -> dict[str, tuple[str, ...]]:
    """The symbols that each trader holds, in the market's order."""
    random = config.random(RandomStream.POSITIONS, 0)
    names = [symbol.name for symbol in config.symbols]
    held = {}
    for number in range(1, config.traders + 1):
        chosen = random.choice(len(names), min(SYMBOLS_PER_TRADER, len(names)), replace=False)
        held[f"TRADER_{number:03d}"] = tuple(names[place] for place in sorted(chosen))
    return held


class Positions:
    """Makes the rows of trading_positions: each trader reports all positions at one moment of each tick."""

    def __init__(self, config: MarketConfig, timeline: Timeline, held: Mapping[str, tuple[str, ...]]) -> None:
        self._config = config
        self._timeline = timeline
        self._random = config.random(RandomStream.POSITIONS, 1)
        self._positions_us = config.cadence.positions_us
        column = {symbol.name: place for place, symbol in enumerate(config.symbols)}
        pairs = [(trader, symbol) for trader, symbols in held.items() for symbol in symbols]
        self._pair = {pair: place for place, pair in enumerate(pairs)}
        self._traders, self._symbols = pa.array([pair[0] for pair in pairs]), pa.array([pair[1] for pair in pairs])
        self._trader = np.repeat(np.arange(len(held)), [len(symbols) for symbols in held.values()])
        self._column = np.array([column[symbol] for _, symbol in pairs])
        self._phase_us = self._trader * self._positions_us // len(held)
        side = np.where(self._random.random(len(pairs)) < 0.7, 1.0, -1.0)
        self._usual = side * self._random.uniform(_SMALLEST, _LARGEST, len(pairs))
        price = np.array([symbol.price for symbol in config.symbols])[self._column]
        self._book = Book.opened(_shares(self._usual, price), price)
        self._day = config.start_ms // _DAY_MS
        self._trades = 1.0 - np.exp(-self._positions_us / _TRADE_EVERY_US)
        self._before: dict[Episode, tuple[int, int, float, float]] = {}

    def rows(self, first_tick: int, ticks: int, path: MidPath) -> tuple[Integers, pa.RecordBatch]:
        """Reports of these ticks, whose prices `path` knows.

        Returns:
            Event time in epoch milliseconds, ascending, and the rows.
        """
        shape = (ticks, len(self._column))
        moment_us = (first_tick + np.arange(ticks))[:, None] * self._positions_us + self._phase_us
        times = self._config.start_ms + moment_us // 1_000
        column = np.broadcast_to(self._column, shape)
        mid = path.mid_at(moment_us, column)
        size, average, pnl = np.empty(shape, np.int64), np.empty(shape), np.empty(shape)
        plan = self._plan(times)
        plan.aside |= path.displaced_at(moment_us, column) > _STAND_ASIDE
        draws = self._random.random((ticks, 3, shape[1]))
        fills = np.round(mid * (1.0 + _FILL_NOISE * self._random.standard_normal(shape)), 2)
        for tick in range(ticks):
            self._start_day(int(times[tick, 0]) // _DAY_MS)
            for episode, active in plan.episodes.get(tick, ()):
                self._begin_or_end(episode, active, mid[tick])
            self._trade(mid[tick], fills[tick], draws[tick], plan.targets[tick], plan.aside[tick])
            size[tick], average[tick] = self._book.size, self._book.average
            pnl[tick] = self._book.pnl(mid[tick])
        columns = [
            pa.concat_arrays([self._traders] * ticks),
            pa.concat_arrays([self._symbols] * ticks),
            pa.array(size.ravel()),
            pa.array(np.round(average.ravel(), 4)),
            pa.array(np.round(pnl.ravel(), 2) + 0.0),  # no negative zero
            pa.array(times.ravel() * 1_000).cast(pa.timestamp("us")),
        ]
        return times.ravel(), pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[TRADING_POSITIONS])

    def _start_day(self, day: int) -> None:
        """The realised part of the P&L is the day's: it starts from nothing at 00:00 UTC."""
        if day != self._day:
            self._day = day
            self._book.realised[:] = 0.0

    def _trade(self, mid: Floats, fill: Floats, draw: Floats, target: Floats, aside: npt.NDArray[np.bool_]) -> None:
        """One round of ordinary trading, and what position-limit episodes want."""
        trading = (draw[0] < self._trades) & ~aside
        self._usual = np.where(trading & (draw[1] < _FLIP_SHARE), -self._usual, self._usual)
        wanted = np.where(trading, _shares(self._usual * (0.5 + draw[2]), mid), self._book.size)
        forced = target > 0.0
        if forced.any():
            side = np.where(self._book.size < 0, -1.0, 1.0)
            wanted = np.where(forced, _shares(side * np.where(forced, target, mid), mid), wanted)
        self._book.trade(wanted - self._book.size, fill)

    def _begin_or_end(self, episode: Episode, active: bool, mid: Floats) -> None:
        """What an episode does at its trader's first report in it, and at the first one after it."""
        pair = self._pair[str(episode.trader), episode.symbol]
        if active and episode not in self._before:
            self._before[episode] = (self._day, *self._book.position(pair))
            if episode.kind is EpisodeKind.LOSS_LIMIT:
                self._err(pair, episode.magnitude, mid)
        elif not active and episode in self._before:
            day, size, average, realised = self._before.pop(episode)
            self._book.restore(pair, size, average, realised if day == self._day else 0.0)

    def _err(self, pair: int, loss: float, mid: Floats) -> None:
        """A trade so far off the market that its trader is down by `loss` on the day."""
        book = self._book
        # what the trader has made so far goes too: the limit is on the day's total
        total = float(book.pnl(mid)[self._trader == self._trader[pair]].sum())
        side = -1.0 if book.size[pair] > 0 else 1.0
        shares = np.ceil(max(1_000.0, loss + total) / (_ERROR_DISTANCE * mid[pair]))
        quantity = np.zeros_like(book.size)
        quantity[pair] = int(side * shares)
        book.trade(quantity, np.round(mid * (1.0 + side * _ERROR_DISTANCE), 2))

    def _plan(self, times: Integers) -> _Plan:
        """What the risk episodes want at these times (ticks × positions)."""
        plan = _Plan(np.zeros(times.shape), np.zeros(times.shape, np.bool_), {})
        every_ms = -(-self._positions_us // 1_000)
        first_ms, last_ms = int(times[0, 0]) - 2 * every_ms, int(times[-1, -1]) + 1
        risks = (EpisodeKind.POSITION_LIMIT, EpisodeKind.LOSS_LIMIT)
        for episode in self._timeline.between(first_ms, last_ms, *risks):
            pair = self._pair[str(episode.trader), episode.symbol]
            reports = times[:, pair]
            during = (reports >= episode.start_ms) & (reports < episode.end_ms)
            after = (reports >= episode.end_ms) & (reports < episode.end_ms + 2 * every_ms)
            plan.aside[during, pair] = True
            if episode.kind is EpisodeKind.POSITION_LIMIT:
                edge = (reports < episode.start_ms + every_ms) | (reports >= episode.end_ms - every_ms)
                plan.targets[during, pair] = np.where(edge, _STEP_VALUE, episode.magnitude)[during]
            for tick in np.flatnonzero(during | after):
                plan.episodes.setdefault(int(tick), []).append((episode, bool(during[tick])))
        return plan


@dataclass(slots=True)
class _Plan:
    """What is special about some ticks.

    Attributes:
        targets: dollars that a position shall be worth, ticks × positions; 0 where nobody says so.
        aside: where the position is not traded as usual, ticks × positions.
        episodes: by tick, the risk episodes near it and whether each is on.
    """

    targets: Floats
    aside: npt.NDArray[np.bool_]
    episodes: dict[int, list[tuple[Episode, bool]]]


def _shares(value: Floats, price: Floats) -> Integers:
    """Whole shares, in tens from a hundred on, that come to about so many dollars; never none."""
    shares = value / price
    lot = np.where(np.abs(shares) >= 100.0, 10.0, 1.0)
    rounded = np.rint(shares / lot) * lot
    return np.where(rounded == 0.0, np.sign(value), rounded).astype(np.int64)
