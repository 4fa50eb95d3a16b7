"""When something happens: the schedule of a scenario, drawn from the seed and independent of everything else.

An episode leaves these traces (`prices.py`, `quotes.py`, `positions.py`, `orders.py` play them):

================  ====================================================================================================
volatility         the symbol jumps by 6–7.5 % at the start, on all exchanges, and falls back slowly until the end. For
                   less than a second after the jump the quotes from before it stand against those after it: those
                   crossed quotes are there in real markets too.
arbitrage          the symbol moves by 30–45 bps, but one exchange keeps quoting the old price until the end
position_limit     a trader takes a block over that lifts one position past 1,000,000 (in two steps), reduces it and
                   hands the rest back at cost after the end
loss_limit         a trader sells or buys 30 % off the market and is down 62,000–80,000 on the day, until the exchange
                   cancels the erroneous trade at the end
imbalance          a large order is worked: six times the ordinary flow in the symbol, nine tenths of it on one side
================  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from velostream_generator.config import MarketConfig, RandomStream

FADE_MS = 120_000
"""How long the price takes to come back after an arbitrage episode."""


class EpisodeKind(StrEnum):
    """What happens."""

    VOLATILITY = "volatility"
    ARBITRAGE = "arbitrage"
    POSITION_LIMIT = "position_limit"
    LOSS_LIMIT = "loss_limit"
    IMBALANCE = "imbalance"


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens to a symbol in ``[start_ms, end_ms)`` of event time (epoch milliseconds).

    Attributes:
        magnitude: volatility: the jump (0.07 up, -0.07 down); arbitrage: the move that the exchange misses, likewise;
            position_limit: value of the position in dollars; loss_limit: the loss in dollars; imbalance: share of the
            flow that buys.
        exchange: the one that lags; arbitrage only.
        trader: whose limit is breached; position_limit and loss_limit only.
    """

    kind: EpisodeKind
    symbol: str
    start_ms: int
    end_ms: int
    magnitude: float
    exchange: str | None = None
    trader: str | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How one kind comes back; every pair is a range, drawn evenly. Milliseconds of event time.

    Attributes:
        first_ms: start of the first episode after the simulation's start.
        every_ms: from one start to the next.
    """

    first_ms: tuple[int, int]
    every_ms: tuple[int, int]


RECURRENCES: Mapping[str, Mapping[EpisodeKind, Recurrence]] = {
    "calm": {},
    "volatility": {EpisodeKind.VOLATILITY: Recurrence((5_000, 8_000), (20_000, 40_000))},
    "arbitrage": {EpisodeKind.ARBITRAGE: Recurrence((5_000, 8_000), (15_000, 30_000))},
    "risk": {
        EpisodeKind.POSITION_LIMIT: Recurrence((3_000, 6_000), (50_000, 80_000)),
        EpisodeKind.LOSS_LIMIT: Recurrence((15_000, 20_000), (50_000, 80_000)),
    },
    "mixed": {
        # from the first second and with six times the flow, so that a clock minute that ends soon after the start
        # and the full minute after it both show it
        EpisodeKind.IMBALANCE: Recurrence((1_000, 1_500), (150_000, 240_000)),
        EpisodeKind.POSITION_LIMIT: Recurrence((5_000, 8_000), (120_000, 200_000)),
        EpisodeKind.VOLATILITY: Recurrence((14_000, 18_000), (90_000, 150_000)),
        EpisodeKind.LOSS_LIMIT: Recurrence((20_000, 25_000), (120_000, 200_000)),
        EpisodeKind.ARBITRAGE: Recurrence((28_000, 34_000), (90_000, 150_000)),
    },
}

_LENGTH_MS: Mapping[EpisodeKind, tuple[int, int]] = {
    EpisodeKind.VOLATILITY: (180_000, 180_000),
    EpisodeKind.ARBITRAGE: (4_000, 6_000),
    EpisodeKind.POSITION_LIMIT: (22_000, 28_000),
    EpisodeKind.LOSS_LIMIT: (17_000, 23_000),
    EpisodeKind.IMBALANCE: (44_000, 50_000),
}
_MAGNITUDE: Mapping[EpisodeKind, tuple[float, float]] = {
    EpisodeKind.VOLATILITY: (0.06, 0.075),
    EpisodeKind.ARBITRAGE: (0.0030, 0.0045),
    EpisodeKind.POSITION_LIMIT: (1_150_000.0, 1_450_000.0),
    EpisodeKind.LOSS_LIMIT: (62_000.0, 80_000.0),
    EpisodeKind.IMBALANCE: (0.88, 0.92),
}
_MIN_REPORTS = 4
"""A breach that lasts fewer reports of the trader's positions could begin and end between two of them."""


class Timeline:
    """All episodes of a simulation, drawn as far as somebody has asked."""

    def __init__(self, config: MarketConfig, holdings: Mapping[str, tuple[str, ...]]) -> None:
        """Args: holdings: the symbols of each trader, which never change."""
        kinds = RECURRENCES[config.scenario]
        if len(config.exchanges) < 2:
            kinds = {kind: recurrence for kind, recurrence in kinds.items() if kind is not EpisodeKind.ARBITRAGE}
        self._series = [_Series(config, kind, recurrence, holdings) for kind, recurrence in kinds.items()]

    def between(self, start_ms: int, end_ms: int, *kinds: EpisodeKind) -> list[Episode]:
        """Episodes of these kinds (none: all) that overlap ``[start_ms, end_ms)``, by start."""
        found = [
            episode
            for series in self._series
            if not kinds or series.kind in kinds
            for episode in series.until(end_ms)
            if episode.end_ms > start_ms
        ]
        return sorted(found, key=lambda episode: (episode.start_ms, episode.kind))


class _Series:
    """The episodes of one kind, one after another."""

    def __init__(
        self, config: MarketConfig, kind: EpisodeKind, recurrence: Recurrence, holdings: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.kind = kind
        self._config = config
        self._recurrence = recurrence
        self._random = config.random(RandomStream.EPISODES, list(EpisodeKind).index(kind))
        self._subjects = _subjects(config, kind, holdings)
        self._free_ms = dict.fromkeys(self._subjects, 0)
        self._episodes: list[Episode] = []
        self._parity = int(self._random.integers(2))
        self._next_ms = config.start_ms + self._draw(recurrence.first_ms)

    def until(self, end_ms: int) -> list[Episode]:
        """Those that start before `end_ms`."""
        while self._next_ms < end_ms:
            self._episodes.append(self._draw_episode())
        return [episode for episode in self._episodes if episode.start_ms < end_ms]

    def _draw_episode(self) -> Episode:
        subject = self._subjects[len(self._episodes) % len(self._subjects)]
        symbol, trader = subject
        start_ms = max(self._next_ms, self._free_ms[subject])
        length_ms = self._draw(_LENGTH_MS[self.kind])
        if trader is not None:
            length_ms = max(length_ms, _MIN_REPORTS * self._config.cadence.positions_us // 1_000)
        low, high = _MAGNITUDE[self.kind]
        magnitude = low + (high - low) * self._random.random()
        # up and down take turns: several falls at once would add up to losses that no risk episode asked for
        up = len(self._episodes) % 2 == self._parity
        if self.kind in (EpisodeKind.VOLATILITY, EpisodeKind.ARBITRAGE) and not up:
            magnitude = -magnitude
        if self.kind is EpisodeKind.IMBALANCE and not up:
            magnitude = 1.0 - magnitude
        lagging = self._random.integers(len(self._config.exchanges))
        end_ms = start_ms + length_ms
        # one at a time for each subject: two jumps of one symbol on top of each other would be a bigger one
        self._free_ms[subject] = end_ms + max(FADE_MS, 2 * self._config.cadence.positions_us // 1_000)
        if self.kind is EpisodeKind.VOLATILITY:
            self._free_ms[subject] = end_ms
        self._next_ms = start_ms + self._draw(self._recurrence.every_ms)
        return Episode(
            kind=self.kind,
            symbol=symbol,
            start_ms=start_ms,
            end_ms=end_ms,
            magnitude=magnitude,
            exchange=self._config.exchanges[lagging] if self.kind is EpisodeKind.ARBITRAGE else None,
            trader=trader,
        )

    def _draw(self, bounds_ms: tuple[int, int]) -> int:
        return int(self._random.integers(bounds_ms[0], bounds_ms[1] + 1))


def _subjects(
    config: MarketConfig, kind: EpisodeKind, holdings: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str | None]]:
    """Who can be struck, in the order in which they are, again and again.

    The kinds walk over one shuffled list from different places, so that the first minute shows different symbols and
    traders. The two risk kinds share the traders between them: no position is in two episodes at once.
    """
    shuffle = config.random(RandomStream.EPISODES)
    symbols = [str(name) for name in shuffle.permutation([symbol.name for symbol in config.symbols])]
    place = list(EpisodeKind).index(kind)
    symbols = symbols[place % len(symbols) :] + symbols[: place % len(symbols)]
    if kind not in (EpisodeKind.POSITION_LIMIT, EpisodeKind.LOSS_LIMIT):
        return [(symbol, None) for symbol in symbols]
    traders = [str(name) for name in shuffle.permutation(list(holdings))]
    if len(traders) > 1:
        traders = traders[0::2] if kind is EpisodeKind.POSITION_LIMIT else traders[1::2]
    subjects: list[tuple[str, str | None]] = []
    while traders:
        wanted = symbols[len(subjects) % len(symbols)]
        trader = next((name for name in traders if wanted in holdings[name]), traders[0])
        traders.remove(trader)
        subjects.append((wanted if wanted in holdings[trader] else holdings[trader][0], trader))
    return subjects
