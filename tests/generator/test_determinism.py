from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from velostream_generator import (
    KEYS,
    SCENARIOS,
    SCHEMAS,
    TOPICS,
    Faults,
    Feed,
    MarketConfig,
    MarketConfigError,
    Simulator,
    to_json_lines,
)

GENERATOR = Path(__file__).parents[2] / "generator"
FAULTS = Faults(late=0.02, late_ms=5_000, disorder=0.2, disorder_ms=1_500, duplicate=0.03, malformed=0.02)


def walk(config: MarketConfig, steps_ms: list[int]) -> dict[str, pa.Table]:
    simulator = Simulator(config)
    parts = [simulator.step(step) for step in steps_ms]
    return {topic: pa.Table.from_batches([part[topic] for part in parts]) for topic in TOPICS}


def arrivals(config: MarketConfig, steps_ms: list[int]) -> dict[str, list[bytes]]:
    feed = Feed(config)
    lines: dict[str, list[bytes]] = {topic: [] for topic in TOPICS}
    for step in steps_ms:
        for topic, payloads in feed.step(step).items():
            for payload in payloads:
                lines[topic] += payload if isinstance(payload, list) else to_json_lines(payload).splitlines()
    return lines


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("step_ms", [1_000, 777, 60_000])
def test_rows_do_not_depend_on_the_step_size(scenario: str, step_ms: int) -> None:
    config = MarketConfig(scenario=scenario, seed=5)
    steps, rest = divmod(900_000, step_ms)
    small = walk(config, [step_ms] * steps + ([rest] if rest else []))
    large = walk(config, [900_000])
    for topic in TOPICS:
        assert small[topic].combine_chunks().equals(large[topic].combine_chunks()), topic
        assert large[topic].num_rows > 10_000


def test_an_hour_at_once_equals_an_hour_by_seconds() -> None:
    config = MarketConfig(rate=20.0)
    by_seconds, at_once = walk(config, [1_000] * 3_600), walk(config, [3_600_000])
    for topic in TOPICS:
        assert by_seconds[topic].combine_chunks().equals(at_once[topic].combine_chunks()), topic


@pytest.mark.parametrize("rate", [0.5, 70.0, 5_000.0, 200_000.0])
def test_a_rate_scales_all_topics_together(rate: float) -> None:
    config = MarketConfig(rate=rate, scenario="calm")
    duration_ms = max(50, int(1_000 * 20_000 / rate))
    rows = Simulator(config).step(duration_ms)
    total = sum(batch.num_rows for batch in rows.values())
    assert total == pytest.approx(rate * duration_ms / 1_000, rel=0.03)
    natural = Simulator(replace(config, rate=None)).step(600_000)
    for topic in TOPICS:
        share = natural[topic].num_rows / sum(batch.num_rows for batch in natural.values())
        assert rows[topic].num_rows / total == pytest.approx(share, rel=0.05), topic


def test_rows_arrive_the_same_for_every_step_size_with_faults() -> None:
    config = MarketConfig(faults=FAULTS)
    assert arrivals(config, [200] * 1_500) == arrivals(config, [300_000]) == arrivals(config, [7_000] * 42 + [6_000])


def test_another_process_makes_the_same_rows() -> None:
    code = (
        "import hashlib, sys\n"
        "from velostream_generator import MarketConfig, Simulator, TOPICS, to_json_lines\n"
        "rows = Simulator(MarketConfig(seed=11)).step(120_000)\n"
        "print(hashlib.sha256(b''.join(to_json_lines(rows[topic]) for topic in TOPICS)).hexdigest())\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(GENERATOR)}, capture_output=True, text=True, check=True
    )
    rows = Simulator(MarketConfig(seed=11)).step(120_000)
    here = hashlib.sha256(b"".join(to_json_lines(rows[topic]) for topic in TOPICS)).hexdigest()
    assert other.stdout.strip() == here


def test_another_seed_makes_other_rows_and_other_episodes() -> None:
    one, two = Simulator(MarketConfig(seed=1)), Simulator(MarketConfig(seed=2))
    for topic in TOPICS:
        assert not one.step(10_000)[topic].equals(two.step(10_000)[topic])
    later = one.config.start_ms + 600_000
    assert one.episodes(later) != two.episodes(later)


def test_faults_leave_the_market_beneath_as_it_is() -> None:
    plain, faulty = Simulator(MarketConfig()), Simulator(MarketConfig(faults=FAULTS))
    for topic in TOPICS:
        assert plain.step(30_000)[topic].equals(faulty.step(30_000)[topic])


def test_rows_have_the_published_columns_and_ascend_by_time() -> None:
    simulator = Simulator(MarketConfig())
    start_us = simulator.config.start_ms * 1_000
    for topic, batch in simulator.step(300_000).items():
        assert batch.schema.equals(SCHEMAS[topic])
        assert set(KEYS[topic]) <= set(batch.schema.names)
        assert all(column.null_count == 0 for column in batch.columns)
        times = batch.column("timestamp").cast(pa.int64()).to_pylist()
        assert times == sorted(times)
        assert start_us <= times[0]
        assert times[-1] < start_us + 300_000_000
        assert all(time % 1_000 == 0 for time in times)


def test_episodes_are_listed_and_only_as_far_as_asked() -> None:
    simulator = Simulator(MarketConfig())
    start_ms = simulator.config.start_ms
    assert simulator.episodes() == []
    first_minute = simulator.episodes(start_ms + 60_000)
    assert {episode.kind.value for episode in first_minute} == {
        "volatility", "arbitrage", "position_limit", "loss_limit", "imbalance",
    }  # fmt: skip
    assert all(start_ms <= episode.start_ms < start_ms + 45_000 for episode in first_minute)
    simulator.step(60_000)
    assert simulator.episodes() == first_minute
    assert simulator.episodes(start_ms + 600_000)[: len(first_minute)] == first_minute


@pytest.mark.parametrize("duration", [0, -5, 1.5, True, "1s"])
def test_a_step_that_is_no_duration_is_refused(duration: object) -> None:
    with pytest.raises(MarketConfigError, match="a step of"):
        Simulator(MarketConfig()).step(duration)  # type: ignore[arg-type]
