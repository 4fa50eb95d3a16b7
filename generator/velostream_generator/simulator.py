"""The market, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from velostream_generator.config import Cadence, MarketConfig
from velostream_generator.episodes import Episode, Timeline
from velostream_generator.errors import MarketConfigError
from velostream_generator.orders import Orders
from velostream_generator.positions import Positions, holdings
from velostream_generator.prices import Integers, MidPath
from velostream_generator.quotes import Quotes
from velostream_generator.schemas import MARKET_DATA, ORDER_BOOK_UPDATES, SCHEMAS, TRADING_POSITIONS

_BLOCK_ROWS = 8_192
"""Market rows drawn at once: enough for numpy, little enough that a live feed does not wait for it."""

MakeRows: TypeAlias = Callable[[int, int, MidPath], tuple[Integers, pa.RecordBatch]]


class Simulator:
    """A market in event time: the same rows for the same configuration, however it is stepped.

    Rows are drawn in blocks of a fixed length of event time and handed out as asked for, so that the draws do not
    depend on the steps. What comes out is the truth: `config.faults` is for `Feed`, `write` and `live`.
    """

    def __init__(self, config: MarketConfig) -> None:
        self.config = config
        held = holdings(config)
        self._timeline = Timeline(config, held)
        self._path = MidPath(config, self._timeline)
        cadence: Cadence = config.cadence
        self._lanes = {
            MARKET_DATA: _Lane(cadence.market_us, Quotes(config, self._timeline).rows),
            TRADING_POSITIONS: _Lane(cadence.positions_us, Positions(config, self._timeline, held).rows),
            ORDER_BOOK_UPDATES: _Lane(cadence.orders_us, Orders(config, self._timeline).rows),
        }
        self._block_ticks = max(32, _BLOCK_ROWS // config.rows_per_tick[0])
        self._now_ms = config.start_ms

    @property
    def now_ms(self) -> int:
        """Event time reached so far, epoch milliseconds; the next step begins here."""
        return self._now_ms

    def step(self, duration_ms: int) -> dict[str, pa.RecordBatch]:
        """The rows of the next `duration_ms` of event time: from `now_ms` up to, not including, the new `now_ms`.

        Returns:
            One batch per topic (`TOPICS`), of its schema in `SCHEMAS`, ascending by timestamp; perhaps empty.

        Raises:
            MarketConfigError: the duration is not a positive whole number.
        """
        if not isinstance(duration_ms, int) or isinstance(duration_ms, bool) or duration_ms <= 0:
            raise MarketConfigError(f"a step of {duration_ms!r} ms", hint="step by 1 ms or more, in whole milliseconds")
        self._now_ms += duration_ms
        end_us = (self._now_ms - self.config.start_ms) * 1_000
        while min(lane.end_us for lane in self._lanes.values()) < end_us:
            self._draw_block()
        return {topic: lane.take(self._now_ms, SCHEMAS[topic]) for topic, lane in self._lanes.items()}

    def episodes(self, until_ms: int | None = None) -> list[Episode]:
        """What happens from the start up to `until_ms` (epoch milliseconds; None: up to `now_ms`), by start."""
        return self._timeline.between(self.config.start_ms, self._now_ms if until_ms is None else until_ms)

    def _draw_block(self) -> None:
        self._path.extend(self._block_ticks)
        for lane in self._lanes.values():
            lane.draw(self._path)
        # one slot more: the price before an episode that starts in the first slot still needed
        needed_us = np.array([min(lane.end_us for lane in self._lanes.values())])
        self._path.forget_before(int(self._path.slot_at(needed_us)[0]) - 1)


class _Lane:
    """One topic's rows between being drawn and being handed out."""

    def __init__(self, interval_us: int, make_rows: MakeRows) -> None:
        self._interval_us = interval_us
        self._make_rows = make_rows
        self._next_tick = 0
        self._waiting: list[tuple[Integers, pa.RecordBatch]] = []

    @property
    def end_us(self) -> int:
        """All rows before this moment after the start are drawn."""
        return self._next_tick * self._interval_us

    def draw(self, path: MidPath) -> None:
        """Draw every tick that ends before the known prices do."""
        ticks = path.end_us // self._interval_us - self._next_tick
        if ticks > 0:
            self._waiting.append(self._make_rows(self._next_tick, ticks, path))
            self._next_tick += ticks

    def take(self, end_ms: int, schema: pa.Schema) -> pa.RecordBatch:
        """The rows before `end_ms` that were not taken yet."""
        taken, kept = [], []
        for times, batch in self._waiting:
            split = int(np.searchsorted(times, end_ms, side="left"))
            if split:
                taken.append(batch.slice(0, split))
            if split < len(times):
                kept.append((times[split:], batch.slice(split)))
        self._waiting = kept
        if len(taken) == 1:
            return taken[0]
        return pa.concat_batches(taken) if taken else pa.RecordBatch.from_pylist([], schema=schema)
