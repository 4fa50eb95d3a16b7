"""What positions are worth: average-cost accounting, over many positions at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from velostream_generator.prices import Floats, Integers


@dataclass(slots=True)
class Book:
    """Positions by index; every array has one entry a position and is changed in place.

    Attributes:
        size: signed shares; negative is short.
        average: the price at which the present shares were bought, or sold short, on average.
        realised: dollars made or lost by shares that were closed.
    """

    size: Integers
    average: Floats
    realised: Floats

    @classmethod
    def opened(cls, size: Integers, price: Floats) -> Book:
        """Positions just opened at these prices."""
        return cls(size.copy(), price.copy(), np.zeros(len(size)))

    def trade(self, quantity: Integers, price: Floats) -> None:
        """Fill one trade per position; quantity is signed, and 0 leaves the position as it is.

        Trading away from flat moves the average. Trading towards flat realises the difference to the average and
        leaves it. What goes through flat closes all of it, and opens the rest at the price of the trade.
        """
        size, average = self.size, self.average
        new = size + quantity
        closed = np.where(size * quantity < 0, np.minimum(np.abs(size), np.abs(quantity)), 0)
        self.realised += closed * np.sign(size) * (price - average)
        grows = (closed == 0) & (quantity != 0)
        cost = (average * size + price * quantity) / np.where(new == 0, 1, new)
        average = np.where(grows, cost, average)
        self.average = np.where((closed > 0) & (size * new < 0), price, average)
        self.size = new

    def pnl(self, mark: Floats) -> Floats:
        """Realised plus unrealised dollars at these prices."""
        return self.realised + self.size * (mark - self.average)

    def position(self, place: int) -> tuple[int, float, float]:
        """Size, average and realised dollars of one position, for `restore`."""
        return int(self.size[place]), float(self.average[place]), float(self.realised[place])

    def restore(self, place: int, size: int, average: float, realised: float) -> None:
        """Put one position back as it was: what was traded since is cancelled."""
        self.size[place], self.average[place], self.realised[place] = size, average, realised
