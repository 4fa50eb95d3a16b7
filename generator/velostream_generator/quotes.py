"""market_data: what each exchange quotes around the fair price."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_generator.config import MarketConfig, RandomStream
from velostream_generator.episodes import Episode, EpisodeKind, Timeline
from velostream_generator.prices import Floats, Integers, MidPath
from velostream_generator.schemas import MARKET_DATA, SCHEMAS

_JITTER = 0.4e-4
"""How far an exchange's quote strays from the fair price (standard deviation, 0.4 bps)."""
_PHASE = 0.8
"""A quote comes at a random moment in this first part of its slot."""
_SPREAD, _SPREAD_PER_VOLATILITY = 1.0e-4, 2.0e-4
"""Ordinary spread: 1 bp, and 1 bp more for each 50 % of annual volatility."""
_TURNOVER = 400_000.0
"""Dollars that change hands per quote on the first exchange; the others have less."""
_VOLUME_SIGMA = 0.2
_SPIKE_SHARE = 0.05
_SPIKE_LOW, _SPIKE_HIGH = 3.0, 10.0
_SPIKE_TAIL = 1.7
"""Spikes follow a power law cut to 3–10: large volumes have a tail exponent near 1.7 (Gopikrishnan, Plerou, Gabaix
and Stanley, "Statistical properties of share volume traded in financial markets", Physical Review E 62, 2000). The
average of 20 quotes holds about one spike, so "above three times the average" is above about 3.6 times the ordinary
volume: three spikes in five pass, which keeps eight symbols on three exchanges at about 0.8 alerts a second."""
_LOT_SHARES = 100


class Quotes:
    """Makes the rows of market_data, tick by tick."""

    def __init__(self, config: MarketConfig, timeline: Timeline) -> None:
        self._config = config
        self._timeline = timeline
        self._random = config.random(RandomStream.QUOTES)
        self._column = {symbol.name: column for column, symbol in enumerate(config.symbols)}
        self._row = {name: row for row, name in enumerate(config.exchanges)}
        self._frozen: dict[Episode, float] = {}
        volatility = np.array([symbol.volatility for symbol in config.symbols])
        self._spread = _SPREAD + _SPREAD_PER_VOLATILITY * volatility
        price = np.array([symbol.price for symbol in config.symbols])
        share = 1.0 / (1.0 + 0.4 * np.arange(len(config.exchanges)))
        self._volume = np.maximum(200.0, _TURNOVER / price) * share[:, None]

    def rows(self, first_tick: int, ticks: int, path: MidPath) -> tuple[Integers, pa.RecordBatch]:
        """Quotes of these ticks, whose prices `path` knows.

        Returns:
            Event time in epoch milliseconds, ascending, and the rows.
        """
        exchanges, symbols = len(self._config.exchanges), len(self._config.symbols)
        shape = (ticks, exchanges, symbols)
        start = first_tick * exchanges - path.first_slot
        window = slice(start, start + ticks * exchanges)
        time_ms = self._times_ms(first_tick, shape)
        mid = np.exp(self._quoted(path, path.log_mid[window].reshape(shape), time_ms))
        bid, price, ask = self._prices_cents(mid, path.stress[window].reshape(shape))
        sizes = np.exp(self._random.standard_normal((2, *shape), dtype=np.float32) * 0.7 + 1.1)
        sizes = np.maximum(1, np.rint(sizes)).astype(np.int64) * _LOT_SHARES
        volume = self._volumes(shape)

        # slots do not overlap, so only the symbols of one slot have to be put in order
        order = np.argsort(time_ms.reshape(-1, symbols), axis=1, kind="stable")
        flat = (order + np.arange(0, ticks * exchanges * symbols, symbols)[:, None]).ravel()
        times = time_ms.ravel()[flat]
        names = pa.array([symbol.name for symbol in self._config.symbols])
        venues = pa.array(self._config.exchanges).take(pa.array(np.tile(np.arange(exchanges), ticks).repeat(symbols)))
        columns = [names.take(pa.array(order.ravel())), venues]
        columns += [pa.array(cents.ravel()[flat] / 100.0) for cents in (price, bid, ask)]
        columns += [pa.array(whole.ravel()[flat]) for whole in (sizes[0], sizes[1], volume)]
        columns.append(pa.array(times * 1_000).cast(pa.timestamp("us")))
        return times, pa.RecordBatch.from_arrays(columns, schema=SCHEMAS[MARKET_DATA])

    def _times_ms(self, first_tick: int, shape: tuple[int, int, int]) -> Integers:
        market_us = self._config.cadence.market_us
        ticks, exchanges, _ = shape
        tick_us = (first_tick + np.arange(ticks)) * market_us
        phase_us = np.arange(exchanges) * market_us // exchanges
        jitter_us = (self._random.random(shape) * (_PHASE * market_us / exchanges)).astype(np.int64)
        time_us = tick_us[:, None, None] + phase_us[:, None] + jitter_us
        time_ms: Integers = self._config.start_ms + time_us // 1_000
        return time_ms

    def _quoted(self, path: MidPath, log_mid: Floats, time_ms: Integers) -> Floats:
        """The prices that the exchanges quote around: the fair ones, or for a lagging exchange those from before."""
        first_ms, last_ms = int(time_ms.min()), int(time_ms.max())
        active = self._timeline.between(first_ms, last_ms + 1, EpisodeKind.ARBITRAGE)
        # an episode that goes on in the next block keeps the price that it froze in this one
        self._frozen = {episode: self._frozen.get(episode, path.before(episode)) for episode in active}
        quoted = log_mid
        if active:
            quoted = log_mid.copy()
        for episode, frozen in self._frozen.items():
            cell = (slice(None), self._row[str(episode.exchange)], self._column[episode.symbol])
            stale = (time_ms[cell] >= episode.start_ms) & (time_ms[cell] < episode.end_ms)
            quoted[cell] = np.where(stale, frozen, quoted[cell])
        return quoted

    def _prices_cents(self, mid: Floats, stress: Floats) -> tuple[Floats, Floats, Floats]:
        """Bid, last and ask in whole cents; the last price lies strictly between the other two."""
        noise = self._random.standard_normal(mid.shape, dtype=np.float32)
        skew = self._random.random(mid.shape, dtype=np.float32) - np.float32(0.5)
        cents = mid * 100.0
        spread = np.maximum(2.0, np.rint(cents * self._spread * stress))
        below = np.clip(np.rint(spread * (0.5 + 0.2 * skew)), 1.0, spread - 1.0)
        price = np.maximum(np.rint(cents * (1.0 + _JITTER * noise)), spread)
        bid = price - below
        return bid, price, bid + spread

    def _volumes(self, shape: tuple[int, int, int]) -> Integers:
        noise = np.exp(_VOLUME_SIGMA * self._random.standard_normal(shape, dtype=np.float32))
        draw = self._random.random(shape)
        spiked = draw < _SPIKE_SHARE
        # what is left of the draw, spread over 0–1 again, is the spike's own
        low, high = _SPIKE_LOW**-_SPIKE_TAIL, _SPIKE_HIGH**-_SPIKE_TAIL
        factor = np.ones(shape)
        factor[spiked] = (low - draw[spiked] / _SPIKE_SHARE * (low - high)) ** (-1.0 / _SPIKE_TAIL)
        volume: Integers = np.maximum(1, np.rint(self._volume * noise * factor)).astype(np.int64)
        return volume
