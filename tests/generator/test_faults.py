from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pytest
from velostream_generator import SCHEMAS, TOPICS, Faults, Feed, MarketConfig, Simulator, to_json_lines
from velostream_generator.faults import MALFORMATIONS, malform

SECONDS = 600


def delivered(faults: Faults, seconds: int = SECONDS) -> tuple[Feed, dict[str, list[bytes]]]:
    feed = Feed(MarketConfig(faults=faults))
    lines: dict[str, list[bytes]] = {}
    for topic, payloads in feed.step(seconds * 1_000).items():
        lines[topic] = []
        for payload in payloads:
            lines[topic] += payload if isinstance(payload, list) else to_json_lines(payload).splitlines()
    return feed, lines


def truth(seconds: int = SECONDS) -> dict[str, list[bytes]]:
    rows = Simulator(MarketConfig()).step(seconds * 1_000)
    return {topic: to_json_lines(batch).splitlines() for topic, batch in rows.items()}


def behind_ms(lines: list[bytes]) -> list[int]:
    """How far each record's event time is behind the newest one that arrived before it; 0 when it is not."""
    newest, found = 0, []
    for line in lines:
        time = json.loads(line)["timestamp"]
        found.append(max(0, newest - time))
        newest = max(newest, time)
    return found


def test_without_faults_the_truth_arrives() -> None:
    feed, lines = delivered(Faults())
    assert lines == truth()
    assert set(feed.faults.values()) == {0}


def test_disorder_stays_within_its_bound() -> None:
    feed, lines = delivered(Faults(disorder=0.3, disorder_ms=1_500))
    expected = truth()
    for topic in TOPICS:
        behind = behind_ms(lines[topic])
        assert sum(delay > 0 for delay in behind) > 0.2 * len(behind)
        assert max(behind) <= 1_500
        # those still under way at the end never arrive
        assert not Counter(lines[topic]) - Counter(expected[topic])
        assert len(expected[topic]) - len(lines[topic]) < 60
    total = sum(map(len, lines.values()))
    assert feed.faults["disorder"] == pytest.approx(0.3 * total, rel=0.05)
    assert feed.faults["late"] == 0


def test_late_records_come_after_their_bound_has_passed() -> None:
    feed, lines = delivered(Faults(late=0.05, late_ms=10_000))
    late = 0
    for topic in TOPICS:
        behind = behind_ms(lines[topic])
        moved = [delay for delay in behind if delay > 0]
        assert min(moved) > 10_000
        assert max(moved) <= 30_000
        late += len(moved)
    assert feed.faults["late"] == late
    assert late == pytest.approx(0.05 * sum(map(len, lines.values())), rel=0.1)


def test_duplicates_follow_at_once() -> None:
    feed, lines = delivered(Faults(duplicate=0.1))
    expected = truth()
    for topic in TOPICS:
        kept = [line for place, line in enumerate(lines[topic]) if place == 0 or line != lines[topic][place - 1]]
        once = [line for place, line in enumerate(expected[topic]) if place == 0 or line != expected[topic][place - 1]]
        assert kept == once
        extra = len(lines[topic]) - len(expected[topic])
        assert extra == pytest.approx(0.1 * len(expected[topic]), rel=0.1)
    assert feed.faults["duplicate"] == sum(map(len, lines.values())) - sum(map(len, expected.values()))


def broken(line: bytes, topic: str) -> str | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return "not JSON" if line.startswith(b"<") else "truncated"
    if "timestamp" not in fields:
        return "no timestamp"
    kinds = {"double": float, "int64": int, "string": str, "timestamp[us]": int}
    wrong = [field.name for field in SCHEMAS[topic] if not isinstance(fields[field.name], kinds[str(field.type)])]
    return "wrong type" if wrong else None


def test_malformed_records_are_broken_in_every_way_and_the_rest_is_whole() -> None:
    feed, lines = delivered(Faults(malformed=0.05))
    expected = truth()
    found: Counter[str] = Counter()
    for topic in TOPICS:
        for line, whole in zip(lines[topic], expected[topic], strict=True):
            how = broken(line, topic)
            assert (how is None) == (line == whole)
            if how is not None:
                found[how] += 1
    total = sum(map(len, expected.values()))
    assert set(found) == set(MALFORMATIONS)
    assert found.total() == feed.faults["malformed"] == pytest.approx(0.05 * total, rel=0.05)
    assert min(found.values()) > 0.2 * found.total()


def test_all_records_may_be_broken_or_late() -> None:
    _, lines = delivered(Faults(malformed=1.0), seconds=30)
    assert all(broken(line, topic) for topic in TOPICS for line in lines[topic])
    _, lines = delivered(Faults(late=1.0, late_ms=60_000), seconds=60)
    assert lines == {topic: [] for topic in TOPICS}


def test_a_seed_of_their_own_changes_the_faults_only() -> None:
    one, two = delivered(Faults(malformed=0.05, seed=1))[1], delivered(Faults(malformed=0.05, seed=2))[1]
    assert one != two
    expected = truth()
    for lines in (one, two):
        for topic in TOPICS:
            assert not Counter(line for line in lines[topic] if broken(line, topic) is None) - Counter(expected[topic])


@pytest.mark.parametrize("cut", [0.0, 0.5, 0.999999])
def test_a_truncated_record_is_never_empty_and_never_whole(cut: float) -> None:
    record = b'{"price":1.5,"timestamp":7}'
    part = malform(record, numeric="price", time="timestamp", how="truncated", cut=cut)
    assert 0 < len(part) < len(record)
    assert record.startswith(part)


def test_a_skip_leaves_a_hole_and_loses_nothing() -> None:
    plain, skipping = Feed(MarketConfig()), Feed(MarketConfig())
    plain.step(5_000)
    skipping.step(5_000)
    skipping.skip(60_000)
    expected, shifted = plain.step(5_000), skipping.step(5_000)
    for topic in TOPICS:
        [whole], [moved] = expected[topic], shifted[topic]
        assert isinstance(whole, pa.RecordBatch)
        assert isinstance(moved, pa.RecordBatch)
        before = whole.column("timestamp").cast(pa.int64()).to_numpy()
        assert (moved.column("timestamp").cast(pa.int64()).to_numpy() - before == 60_000_000).all()
        assert moved.drop_columns(["timestamp"]).equals(whole.drop_columns(["timestamp"]))
