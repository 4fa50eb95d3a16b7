"""Bars (open, high, low, close, volume) folded from trades, merged as they arrive, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from velostream_nb.widgets.columns import Floats, Ints


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one symbol, ascending by start, one per start.

    All arrays have shape (bars,). `start_us` is the epoch-aligned begin of the half-open interval. `open` and
    `close` go by arrival within a bar. `notional` is the sum of price times volume.
    """

    start_us: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    notional: Floats

    def __len__(self) -> int:
        return len(self.start_us)

    def tail(self, count: int) -> Bars:
        """The newest `count` bars, as fresh arrays."""
        cut = slice(max(0, len(self) - count), None)
        return Bars(*(getattr(self, name)[cut].copy() for name in self.__slots__))


def no_bars() -> Bars:
    """The bars of a symbol nobody traded yet."""
    return Bars(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(6)))


def fold_trades(times_us: Ints, prices: Floats, volumes: Floats, size_us: int) -> Bars:
    """Bars of `size_us` from trades in arrival order; a NaN volume counts as none. Prices and times are known."""
    known = np.nan_to_num(volumes, nan=0.0)
    starts = times_us - times_us % size_us
    return _fold(Bars(starts, prices, prices, prices, prices, known, prices * known))


def merge(old: Bars, new: Bars, keep: int) -> Bars:
    """`old` with the later-arrived `new` folded in; only the newest `keep` bars stay."""
    pairs = ((getattr(old, name), getattr(new, name)) for name in Bars.__slots__)
    return _fold(Bars(*(np.concatenate(pair) for pair in pairs))).tail(keep)


def resample(bars: Bars, size_us: int) -> Bars:
    """Coarser bars; `size_us` should be a multiple of the present size."""
    starts = bars.start_us - bars.start_us % size_us
    return _fold(Bars(starts, *(getattr(bars, name) for name in Bars.__slots__[1:])))


def _fold(rows: Bars) -> Bars:
    """One bar per distinct start; rows of equal start are in arrival order."""
    if len(rows) == 0:
        return no_bars()
    order = np.argsort(rows.start_us, kind="stable")
    starts = rows.start_us[order]
    heads = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]])
    tails = np.r_[heads[1:] - 1, len(starts) - 1]
    return Bars(
        starts[heads],
        rows.open[order][heads],
        np.maximum.reduceat(rows.high[order], heads),
        np.minimum.reduceat(rows.low[order], heads),
        rows.close[order][tails],
        np.add.reduceat(rows.volume[order], heads),
        np.add.reduceat(rows.notional[order], heads),
    )
