"""Axis ranges that stay calm: grow at once, shrink late; and tick values at round numbers and round times."""

from __future__ import annotations

import math

TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class SteadyRange:
    """The limits of a y axis under hysteresis.

    Grows at once to hold the data (plus `padding` of its span on either side); shrinks only after the data have
    filled less than `loose` of it for `patience` updates in a row.
    """

    def __init__(self, *, padding: float = 0.08, loose: float = 0.55, patience: int = 40, least: float = 1e-4) -> None:
        self._padding = padding
        self._loose = loose
        self._patience = patience
        self._least = least
        self._idle = 0
        self.low = math.nan
        self.high = math.nan

    def update(self, low: float, high: float) -> bool:
        """Tell the data's extremes (finite, low <= high); True when the limits moved."""
        if not (math.isfinite(low) and math.isfinite(high)):
            return False
        if not math.isfinite(self.low) or low < self.low or high > self.high:
            self._fit(low, high)
            return True
        loose = (high - low) < self._loose * (self.high - self.low) - 2 * self._least * max(abs(high), 1e-9)
        self._idle = self._idle + 1 if loose else 0
        if self._idle < self._patience:
            return False
        before = (self.low, self.high)
        self._fit(low, high, keep=False)
        return (self.low, self.high) != before

    def reset(self) -> None:
        """Forget: the next update fits."""
        self.low = self.high = math.nan
        self._idle = 0

    def _fit(self, low: float, high: float, *, keep: bool = True) -> None:
        # a flat series still needs a visible band, so the least span is relative to the level
        pad = max((high - low) * self._padding, self._least * max(abs(low), abs(high), 1e-9))
        wanted_low, wanted_high = low - pad, high + pad
        if keep and math.isfinite(self.low):
            # only the side that overflowed moves: the other would jump for nothing
            wanted_low = wanted_low if low < self.low else self.low
            wanted_high = wanted_high if high > self.high else self.high
        self.low, self.high, self._idle = wanted_low, wanted_high, 0


def round_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` (at least 2 where possible) multiples of 1, 2, 2.5 or 5 times a power of ten in [low, high]."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    ticks: list[float] = []
    for wanted in (count, count + 1, count + 3):
        ticks = _multiples(low, high, (high - low) / max(1, wanted))
        if len(ticks) >= 2:
            break
    return ticks


def _multiples(low: float, high: float, least_step: float) -> list[float]:
    power = 10.0 ** math.floor(math.log10(least_step))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= least_step * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_decimals(ticks: list[float]) -> int:
    """Decimals that tell neighbouring ticks apart, at most 6."""
    if len(ticks) < 2:
        return 2
    step = ticks[1] - ticks[0]
    for decimals in range(7):
        if abs(round(step, decimals) - step) < step * 1e-6:
            return decimals
    return 6


def time_ticks(low_us: int, high_us: int, count: int, *, margin: float = 0.07) -> tuple[list[int], int]:
    """At most `count` round times in (low, high) as epoch microseconds, and their step in seconds.

    Times within `margin` of either edge are left out: their labels would be cut.
    """
    inner = int((high_us - low_us) * margin)
    low, high = low_us + inner, high_us - inner
    for step_s in TICK_STEPS_S:
        step = step_s * 1_000_000
        first = -(-low // step) * step
        found = list(range(first, high + 1, step))
        if len(found) <= count:
            return found, step_s
    return [], TICK_STEPS_S[-1]
