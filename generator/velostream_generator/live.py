"""The market in real time: small slices, paced by a clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from velostream_generator.checks import require_integer, require_number
from velostream_generator.config import MAX_RATE, MarketConfig
from velostream_generator.feed import Feed, Payload
from velostream_generator.schemas import TOPICS

MAX_LAG_MS = 10_000
"""Wall time that is caught up in one go. What is older is skipped, as a real feed would have gone on meanwhile."""

_STEP_ROWS = 100_000


class Clock(Protocol):
    """Wall time and waiting, in whole microseconds."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""

    def sleep_us(self, duration_us: int) -> None:
        """Return after so long; at once when it is 0 or less."""


class WallClock:
    """The machine's calendar clock: event times stay comparable with everybody else's, even after it was asleep."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def sleep_us(self, duration_us: int) -> None:
        if duration_us > 0:
            time.sleep(duration_us / 1_000_000)


def live(
    config: MarketConfig,
    *,
    on_batch: Callable[[str, Payload], None],
    stop: threading.Event,
    clock: Clock | None = None,
    speed: float = 1.0,
    rate: float | None = None,
    start_ms: int | None = None,
    slice_ms: int = 200,
) -> dict[str, int]:
    """Emit the market as time goes by, until `stop` is set; returns within a slice of that.

    What is due is worked out from the clock each time, never by adding up sleeps, so it does not drift. After a pause
    (a busy machine, a slow `on_batch`) the next slice is larger; a pause longer than `MAX_LAG_MS` leaves a hole. When
    the clock is set back, the feed halts until it has come as far again: event time never runs back.

    Args:
        on_batch: gets a topic and a run of its records, in order of arrival: a batch, or a list of bytes when a fault
            broke them. Runs in the caller's thread; an exception ends the feed and reaches the caller.
        clock: None is the machine's own.
        speed: event time that passes in a second of wall time, 1.0 for real time.
        rate: records a second of wall time over the three topics; the intervals follow. None keeps `config`'s.
        start_ms: event time of the first slice; None is now by the clock, whatever `config.start_ms` says.
        slice_ms: wall time between slices.

    Returns:
        Records emitted, per topic.

    Raises:
        MarketConfigError: an option does not fit.
    """
    require_number("speed", speed, 0.001, 100_000.0, "1 for real time")
    require_integer("slice_ms", slice_ms, 1, 60_000)
    if rate is not None:
        require_number("rate", rate, 0.001, MAX_RATE, "events a second")
        config = replace(config, rate=rate / speed)
    clock = clock or WallClock()
    begin_us = clock.now_us()
    feed = Feed(replace(config, start_ms=begin_us // 1_000 if start_ms is None else start_ms))
    most_ms = max(1, round(1_000 * _STEP_ROWS / config.rows_per_second))
    emitted = dict.fromkeys(TOPICS, 0)
    done_ms = 0
    while not stop.is_set():
        passed_us = clock.now_us() - begin_us
        due_ms = int(passed_us * speed) // 1_000
        hole_ms = due_ms - done_ms - int(MAX_LAG_MS * speed)
        if hole_ms > 0:
            feed.skip(hole_ms)
            done_ms += hole_ms
        while done_ms < due_ms and not stop.is_set():
            step_ms = min(most_ms, due_ms - done_ms)
            _emit(feed, step_ms, on_batch, emitted)
            done_ms += step_ms
        next_us = begin_us + (passed_us // (slice_ms * 1_000) + 1) * slice_ms * 1_000
        clock.sleep_us(next_us - clock.now_us())
    return emitted


def _emit(feed: Feed, step_ms: int, on_batch: Callable[[str, Payload], None], emitted: dict[str, int]) -> None:
    for topic, payloads in feed.step(step_ms).items():
        for payload in payloads:
            on_batch(topic, payload)
            emitted[topic] += len(payload)
