from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pytest
from velostream_generator import TOPICS, Faults, MarketConfig, MarketConfigError, Payload, Simulator, live
from velostream_generator.live import MAX_LAG_MS

BEGIN_US = 1_800_000_000_123_456


class FakeClock:
    """Moves only when slept on, `late_us` further than asked; `pauses` adds stalls after so many sleeps."""

    def __init__(self, stop: threading.Event, until_us: int, late_us: int = 0) -> None:
        self.time_us = BEGIN_US
        self.pauses: dict[int, int] = {}
        self.sleeps: list[int] = []
        self._stop, self._until_us, self._late_us = stop, BEGIN_US + until_us, late_us

    def now_us(self) -> int:
        return self.time_us

    def sleep_us(self, duration_us: int) -> None:
        self.sleeps.append(duration_us)
        self.time_us += max(0, duration_us) + self._late_us + self.pauses.get(len(self.sleeps), 0)
        if self.time_us >= self._until_us:
            self._stop.set()


class Sink:
    """Remembers what came when, and takes `slow_us` for each batch."""

    def __init__(self, clock: FakeClock, slow_us: int = 0) -> None:
        self.clock, self.slow_us = clock, slow_us
        self.rows = dict.fromkeys(TOPICS, 0)
        self.broken = 0
        self.lags_ms: list[int] = []
        self.batches: dict[str, list[pa.RecordBatch]] = {topic: [] for topic in TOPICS}

    def __call__(self, topic: str, payload: Payload) -> None:
        self.clock.time_us += self.slow_us
        self.rows[topic] += len(payload)
        if isinstance(payload, list):
            self.broken += len(payload)
            return
        self.batches[topic].append(payload)
        newest_us = payload.column("timestamp")[-1].cast(pa.int64()).as_py()
        self.lags_ms.append((self.clock.time_us - newest_us) // 1_000)


def run(
    config: MarketConfig,
    wall_s: int,
    *,
    late_us: int = 0,
    slow_us: int = 0,
    prepare: Callable[[FakeClock], None] = lambda clock: None,
    **options: object,
) -> tuple[FakeClock, Sink, dict[str, int]]:
    stop = threading.Event()
    clock = FakeClock(stop, wall_s * 1_000_000, late_us)
    prepare(clock)
    sink = Sink(clock, slow_us)
    emitted = live(config, on_batch=sink, stop=stop, clock=clock, **options)  # type: ignore[arg-type]
    return clock, sink, emitted


def test_event_time_follows_the_wall_in_small_slices() -> None:
    clock, sink, emitted = run(MarketConfig(), 60)
    assert emitted == sink.rows
    # the slice that the stop came before is not emitted
    assert emitted["market_data"] == pytest.approx(24 * 60, abs=24)
    assert min(sink.lags_ms) >= 0
    assert max(sink.lags_ms) < 1_300
    assert set(clock.sleeps) == {200_000}
    table = pa.Table.from_batches(sink.batches["market_data"]).combine_chunks()
    expected = Simulator(MarketConfig(start_ms=BEGIN_US // 1_000)).step(60_000)["market_data"]
    assert table.to_batches()[0].equals(expected.slice(0, table.num_rows))


def test_sleeping_too_long_each_time_does_not_add_up() -> None:
    _, sink, emitted = run(MarketConfig(), 600, late_us=37_000)
    assert emitted["market_data"] == pytest.approx(24 * 600, abs=48)
    assert max(sink.lags_ms) < 1_400


def test_speed_lets_event_time_run_ahead_from_the_start() -> None:
    _, sink, emitted = run(MarketConfig(), 10, speed=60.0)
    assert emitted["market_data"] == pytest.approx(24 * 600, rel=0.03)
    last = sink.batches["market_data"][-1].column("timestamp")[-1].cast(pa.int64()).as_py()
    assert last == pytest.approx(BEGIN_US + 600_000_000, abs=15_000_000)


@pytest.mark.parametrize("speed", [1.0, 10.0])
def test_rate_is_of_the_wall(speed: float) -> None:
    _, _, emitted = run(MarketConfig(scenario="calm"), 10, speed=speed, rate=3_000.0)
    assert sum(emitted.values()) == pytest.approx(30_000, rel=0.04)


def test_a_start_can_be_given() -> None:
    _, sink, _ = run(MarketConfig(start_ms=5), 5, start_ms=1_000_000)
    first = sink.batches["market_data"][0].column("timestamp")[0].cast(pa.int64()).as_py()
    assert 1_000_000_000 <= first < 1_002_000_000


def test_a_short_stall_is_caught_up_without_loss() -> None:
    def stall(clock: FakeClock) -> None:
        clock.pauses[20] = (MAX_LAG_MS - 1_000) * 1_000

    _, sink, emitted = run(MarketConfig(), 60, prepare=stall)
    assert emitted["market_data"] == pytest.approx(24 * 60, abs=24)
    assert max(sink.lags_ms[-50:]) < 1_300
    assert max(batch.num_rows for batch in sink.batches["market_data"]) > 200


def test_a_long_stall_leaves_a_hole_and_the_feed_is_on_time_again() -> None:
    def stall(clock: FakeClock) -> None:
        clock.pauses[20] = 3_600_000_000

    _, sink, emitted = run(MarketConfig(), 3_660, prepare=stall)
    assert sum(emitted.values()) < 6_000
    assert max(sink.lags_ms[-50:]) < 1_300
    times = pa.Table.from_batches(sink.batches["market_data"]).column("timestamp").cast(pa.int64()).to_pylist()
    assert times == sorted(times)
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(3_590e6, abs=2e6)


def test_a_sink_that_cannot_keep_up_never_falls_further_behind_than_the_bound() -> None:
    _, sink, _ = run(MarketConfig(), 600, slow_us=400_000)
    assert max(sink.lags_ms) < MAX_LAG_MS + 3_000


def test_broken_records_come_as_bytes() -> None:
    _, sink, emitted = run(MarketConfig(faults=Faults(malformed=0.1)), 60)
    assert sink.broken == pytest.approx(0.1 * sum(emitted.values()), rel=0.2)


def test_stop_ends_it_between_steps_and_a_failing_sink_is_heard() -> None:
    stop = threading.Event()
    stop.set()
    clock = FakeClock(stop, 1)
    assert live(MarketConfig(), on_batch=Sink(clock), stop=stop, clock=clock) == dict.fromkeys(TOPICS, 0)
    assert clock.sleeps == []

    def fail(topic: str, payload: Payload) -> None:
        raise OSError("broker is gone")

    with pytest.raises(OSError, match="broker is gone"):
        live(MarketConfig(), on_batch=fail, stop=threading.Event(), clock=FakeClock(threading.Event(), 10**9))


def test_the_machines_own_clock_is_the_default() -> None:
    stop = threading.Event()
    seen: list[str] = []

    def stop_at_once(topic: str, payload: Payload) -> None:
        seen.append(topic)
        stop.set()

    live(MarketConfig(rate=100_000.0), on_batch=stop_at_once, stop=stop, slice_ms=5)
    assert seen


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": -1.0}, {"rate": 0}, {"slice_ms": 0}, {"rate": 1e9}])
def test_options_that_do_not_fit_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(MarketConfigError):
        run(MarketConfig(), 1, **options)  # type: ignore[arg-type]
