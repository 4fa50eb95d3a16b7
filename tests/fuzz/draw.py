"""Choices that can be replayed: a query is a function of a list of whole numbers, and shorter lists give simpler queries."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Draws from a random generator, or replays choices; past their end every choice is 0, the simplest.

    Attributes:
        made: the choices drawn so far, for a replay.
    """

    def __init__(self, source: random.Random | Sequence[int]) -> None:
        self._rng = source if isinstance(source, random.Random) else None
        self._replay = () if isinstance(source, random.Random) else tuple(source)
        self.made: list[int] = []

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""
        if self._rng is not None:
            value = self._rng.randrange(bound)
        else:
            at = len(self.made)
            value = self._replay[at] % bound if at < len(self._replay) else 0
        self.made.append(value)
        return value

    def pick(self, options: Sequence[T]) -> T:
        """One of the options; the first is the simplest."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """True so often; False is simpler."""
        return self.below(100) >= 100 - percent

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """Several different options, in their order."""
        wanted = least + self.below(min(most, len(options)) - least + 1) if len(options) > least else len(options)
        left = list(range(len(options)))
        chosen = sorted(left.pop(self.below(len(left))) for _ in range(wanted))
        return [options[i] for i in chosen]
