"""What a market screen knows: per symbol the bars, the last price, the best quotes; computed as records arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from velostream_nb.widgets.bars import Bars, fold_trades, merge, no_bars
from velostream_nb.widgets.columns import NO_TIME, Floats, Ints, labels, numbers, times_us

BAR_US = 1_000_000
KEEP_BARS = 1_800
"""Half an hour of one-second bars."""
USUAL_ORDER = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "NFLX")
"""Symbols of the demo, in the order in which people list them; others follow by name."""
LEAST_GAP_US = 3_000_000


@dataclass(slots=True)
class SymbolState:
    """One symbol since this screen began to look.

    Attributes:
        first: the first price seen; changes are measured from it.
        volume, notional: sums since then.
        quotes: exchange -> (bid, ask), the newest of each.
        last_us: event time of the newest price.
        arrived_us: the kernel's clock when it arrived.
        revision: grows with each change.
    """

    symbol: str
    bars: Bars = field(default_factory=no_bars)
    first: float = float("nan")
    first_us: int = 0
    last: float = float("nan")
    before: float = float("nan")
    volume: float = 0.0
    notional: float = 0.0
    trades: int = 0
    quotes: dict[str, tuple[float, float]] = field(default_factory=dict)
    last_us: int = 0
    arrived_us: int = 0
    revision: int = 0

    @property
    def change(self) -> float:
        """Since the first price, as a fraction."""
        return self.last / self.first - 1 if self.first else float("nan")

    @property
    def bid(self) -> float:
        """The best (highest) bid over the exchanges, NaN without one."""
        return max((bid for bid, _ in self.quotes.values() if np.isfinite(bid)), default=float("nan"))

    @property
    def ask(self) -> float:
        """The best (lowest) ask over the exchanges, NaN without one."""
        return min((ask for _, ask in self.quotes.values() if np.isfinite(ask)), default=float("nan"))

    @property
    def spread_bps(self) -> float:
        """Best ask minus best bid over the mid price; negative while the exchanges' quotes cross."""
        mid = (self.bid + self.ask) / 2
        return (self.ask - self.bid) / mid * 10_000 if mid else float("nan")

    @property
    def vwap(self) -> float:
        return self.notional / self.volume if self.volume else float("nan")

    def vwap_line(self) -> Floats:
        """The running VWAP at each kept bar, shape (bars,); NaN before the first volume."""
        volumes = np.cumsum(self.bars.volume) + (self.volume - self.bars.volume.sum())
        notionals = np.cumsum(self.bars.notional) + (self.notional - self.bars.notional.sum())
        # the base is a difference of large sums: below one share it is rounding, not volume
        line: Floats = np.divide(notionals, volumes, out=np.full(len(volumes), np.nan), where=volumes > 1e-6)
        return line


class MarketBook:
    """All symbols of a stream of prices. Not thread-safe: the pump owns it."""

    def __init__(self, symbols: Sequence[str] = (), *, keep: int = KEEP_BARS) -> None:
        self._fixed = tuple(symbols)
        self._keep = keep
        self.states: dict[str, SymbolState] = {}
        self.newest_us: int | None = None
        self.arrived_us: int | None = None
        self.gap_us = 0.0
        self.unusable = 0

    @property
    def order(self) -> list[str]:
        """Symbols in screen order: the wanted ones, else the usual ones, then the rest by name."""
        first = self._fixed or USUAL_ORDER
        rest = sorted(set(self.states) - set(first))
        return [name for name in first if name in self.states] + ([] if self._fixed else rest)

    def stale(self, now_us: int) -> bool:
        """Has nothing arrived for more than twice the usual gap (and at least 3 s)?"""
        return self.arrived_us is not None and now_us - self.arrived_us > max(LEAST_GAP_US, 2 * self.gap_us)

    def ingest(self, rows: pa.Table, now_us: int) -> None:
        """Take in price records (symbol, price, time; volume, exchange, bid and ask when there are any)."""
        codes, names = labels(rows, "symbol", "ticker", "instrument")
        prices = numbers(rows, "price", "last", "close")
        times = times_us(rows)
        usable = (codes >= 0) & np.isfinite(prices) & (times != NO_TIME)
        self.unusable += int(len(usable) - usable.sum())
        if not usable.any():
            return
        exchange_codes, exchanges = labels(rows, "exchange", "venue")
        volumes = np.maximum(numbers(rows, "volume", "quantity", "size"), 0.0)
        bids, asks = numbers(rows, "bid_price", "bid"), numbers(rows, "ask_price", "ask")
        for code in np.unique(codes[usable]):
            at = np.flatnonzero(usable & (codes == code))
            state = self.states.setdefault(names[code], SymbolState(names[code]))
            self._trade(state, times[at], prices[at], volumes[at], now_us)
            _quote(state, exchange_codes[at], exchanges, bids[at], asks[at])
        self._arrive(int(times[usable].max()), now_us)

    def _trade(self, state: SymbolState, times: Ints, prices: Floats, volumes: Floats, now_us: int) -> None:
        new = fold_trades(times, prices, volumes, BAR_US)
        state.bars = merge(state.bars, new, self._keep)
        if not state.revision:
            state.first, state.first_us = float(prices[0]), int(times[0])
        state.before = state.last if state.revision else float(prices[0])
        newest = len(times) - 1 - int(np.argmax(times[::-1]))
        if times[newest] >= state.last_us:
            state.last, state.last_us = float(prices[newest]), int(times[newest])
        state.volume += float(new.volume.sum())
        state.notional += float(new.notional.sum())
        state.trades += len(times)
        state.arrived_us = now_us
        state.revision += 1

    def _arrive(self, newest_us: int, now_us: int) -> None:
        if self.arrived_us is not None:
            gap = now_us - self.arrived_us
            self.gap_us = gap if not self.gap_us else 0.8 * self.gap_us + 0.2 * gap
        self.arrived_us = now_us
        self.newest_us = newest_us if self.newest_us is None else max(self.newest_us, newest_us)


def _quote(state: SymbolState, codes: Ints, exchanges: list[str], bids: Floats, asks: Floats) -> None:
    """Keep the newest quote of each exchange."""
    for code in np.unique(codes):
        newest = int(np.flatnonzero(codes == code)[-1])
        if np.isfinite(bids[newest]) or np.isfinite(asks[newest]):
            state.quotes[exchanges[code] if code >= 0 else ""] = (float(bids[newest]), float(asks[newest]))
