from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from velostream_generator import (
    NEXMARK_SCHEMAS,
    NEXMARK_TIME,
    NEXMARK_TOPICS,
    MarketConfigError,
    NexmarkConfig,
    nexmark,
    nexmark_blocks,
    write_nexmark,
)


def times_ms(table: pa.Table) -> np.ndarray:
    return table.column(NEXMARK_TIME).cast(pa.int64()).to_numpy() // 1_000


@pytest.fixture(scope="module")
def house() -> dict[str, pa.Table]:
    return nexmark(NexmarkConfig(events=120_000))


def test_of_fifty_events_one_is_a_person_and_three_are_auctions(house: dict[str, pa.Table]) -> None:
    assert {topic: table.num_rows for topic, table in house.items()} == {
        "person": 2_400,
        "auction": 7_200,
        "bid": 110_400,
    }
    assert all(house[topic].schema.equals(NEXMARK_SCHEMAS[topic]) for topic in NEXMARK_TOPICS)


def test_ids_are_new_and_grow_with_time(house: dict[str, pa.Table]) -> None:
    for topic in ("person", "auction"):
        ids = house[topic].column("id").to_numpy()
        assert np.array_equal(ids, 1_000 + np.arange(len(ids)))


def test_some_auctions_and_bidders_are_hot(house: dict[str, pa.Table]) -> None:
    bids = house["bid"]
    for column, share in (("auction", 0.5), ("bidder", 0.75)):
        ids = bids.column(column).to_numpy()
        hot = (ids % 100 == (1 if column == "bidder" else 0)).mean()
        assert hot == pytest.approx(share, abs=0.03), column
    channels = bids.column("channel").to_pylist()
    famous = sum(c in ("Google", "Facebook", "Baidu", "Apple") for c in channels)
    assert famous / len(channels) == pytest.approx(0.5, abs=0.02)


def test_a_few_references_run_ahead_of_what_there_is(house: dict[str, pa.Table]) -> None:
    known = set(house["auction"].column("id").to_pylist())
    bids = house["bid"].column("auction").to_numpy()
    opened = dict(zip(house["auction"].column("id").to_pylist(), times_ms(house["auction"]).tolist(), strict=True))
    early = sum(t < opened.get(a, t) for a, t in zip(bids.tolist(), times_ms(house["bid"]).tolist(), strict=True))
    assert 0 < early < 0.1 * len(bids)
    assert set(bids.tolist()) - known, "some auctions that bids name never come"


def test_without_disorder_rows_come_in_event_time(house: dict[str, pa.Table]) -> None:
    for table in house.values():
        assert (np.diff(times_ms(table)) >= 0).all()


def test_disorder_is_bounded_and_loses_no_row(house: dict[str, pa.Table]) -> None:
    mixed = nexmark(NexmarkConfig(events=120_000, disorder_ms=2_000))
    for topic, table in mixed.items():
        at = times_ms(table)
        behind = np.maximum.accumulate(at) - at
        assert 0 < behind.max() <= 2_000, topic
        assert np.array_equal(np.sort(at), times_ms(house[topic]))


def test_blocks_are_the_same_rows(house: dict[str, pa.Table]) -> None:
    config = NexmarkConfig(events=120_000, disorder_ms=1_500)
    whole = nexmark(config)
    blocks = list(nexmark_blocks(config))
    assert len(blocks) == 3
    for topic in NEXMARK_TOPICS:
        assert pa.Table.from_batches([b[topic] for b in blocks]).combine_chunks().equals(whole[topic]), topic


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    short, long = nexmark(NexmarkConfig(events=50_000)), nexmark(NexmarkConfig(events=100_000))
    assert short["bid"].equals(long["bid"].slice(0, short["bid"].num_rows).combine_chunks())


def test_another_seed_makes_other_rows() -> None:
    one, two = nexmark(NexmarkConfig(events=5_000, seed=1)), nexmark(NexmarkConfig(events=5_000, seed=2))
    assert all(not one[topic].equals(two[topic]) for topic in NEXMARK_TOPICS)
    assert one["bid"].equals(nexmark(NexmarkConfig(events=5_000, seed=1))["bid"])


def test_a_rate_stretches_event_time() -> None:
    slow = nexmark(NexmarkConfig(events=1_000, rate=10.0))["bid"]
    assert times_ms(slow)[-1] - times_ms(slow)[0] == pytest.approx(100_000, abs=1_000)


@pytest.mark.parametrize("format_name", ["jsonl", "parquet"])
def test_files_hold_the_same_rows(tmp_path: Path, format_name: str) -> None:
    config = NexmarkConfig(events=2_000, disorder_ms=500)
    written = write_nexmark(config, tmp_path / "house", format=format_name)
    rows = nexmark(config)
    assert written == {topic: table.num_rows for topic, table in rows.items()}
    for topic in NEXMARK_TOPICS:
        path = tmp_path / "house" / f"{topic}.{format_name}"
        if format_name == "parquet":
            assert pq.read_table(path).combine_chunks().equals(rows[topic])
            continue
        first = json.loads(path.read_text().splitlines()[0])
        assert list(first) == NEXMARK_SCHEMAS[topic].names
        assert first[NEXMARK_TIME] == times_ms(rows[topic])[0]


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketConfigError, match="events"):
        NexmarkConfig(events=0)
    with pytest.raises(MarketConfigError, match="rate"):
        NexmarkConfig(rate=0)
    with pytest.raises(MarketConfigError, match="unknown format 'csv'"):
        write_nexmark(NexmarkConfig(events=50), tmp_path, format="csv")
