from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from velostream_generator import SCHEMAS, TOPICS, Faults, MarketConfig, MarketConfigError, Simulator, write
from velostream_generator.writer import stretched


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_json_lines_hold_the_first_rows_of_the_market(tmp_path: Path) -> None:
    written = write(MarketConfig(), tmp_path / "new" / "folder", events=100_000)
    assert sum(written.values()) == 100_000
    truth = Simulator(MarketConfig()).step(3_600_000)
    for topic in TOPICS:
        rows = lines(tmp_path / "new" / "folder" / f"{topic}.jsonl")
        assert len(rows) == written[topic]
        expected = truth[topic].slice(0, len(rows)).to_pylist()
        for row, whole in zip(rows[:500], expected[:500], strict=True):
            assert row == {**whole, "timestamp": row["timestamp"]}
        assert (
            rows[-1]["timestamp"] == pa.scalar(expected[-1]["timestamp"], pa.timestamp("ms")).cast(pa.int64()).as_py()
        )
    # the three topics end together, within a tick of the slowest
    ends = [int(str(lines(tmp_path / "new" / "folder" / f"{topic}.jsonl")[-1]["timestamp"])) for topic in TOPICS]
    assert max(ends) - min(ends) < 20_000


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    written = write(MarketConfig(seed=4), tmp_path, format="parquet", events=70_000)
    truth = Simulator(MarketConfig(seed=4)).step(3_600_000)
    for topic in TOPICS:
        table = pq.read_table(tmp_path / f"{topic}.parquet")
        assert table.schema.equals(SCHEMAS[topic])
        assert table.combine_chunks().to_batches()[0].equals(truth[topic].slice(0, written[topic]))


def test_rows_per_topic_are_exact_and_span_one_time(tmp_path: Path) -> None:
    wanted = {"market_data": 20_000, "order_book_updates": 10_000, "trading_positions": 2_000}
    assert write(MarketConfig(), tmp_path, rows=wanted) == wanted
    ends = []
    for topic, count in wanted.items():
        rows = lines(tmp_path / f"{topic}.jsonl")
        assert len(rows) == count
        ends.append(int(str(rows[-1]["timestamp"])) - MarketConfig().start_ms)
    assert max(ends) / min(ends) < 1.07
    assert stretched(MarketConfig(), wanted).market_interval_ms == 1_000


def test_a_topic_without_rows_gets_no_file(tmp_path: Path) -> None:
    assert write(MarketConfig(), tmp_path, rows={"trading_positions": 7, "market_data": 0}) == {"trading_positions": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["trading_positions.jsonl"]


def test_few_events_and_faults(tmp_path: Path) -> None:
    assert sum(write(MarketConfig(), tmp_path, events=1).values()) == 1
    config = MarketConfig(faults=Faults(late=0.1, late_ms=2_000, duplicate=0.1, malformed=0.1))
    assert sum(write(config, tmp_path, events=5_000).values()) == 5_000
    assert sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("*.jsonl")) == 5_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"events": 0}, "events is 0"),
        ({"events": True}, "events is True"),
        ({}, "neither or both"),
        ({"events": 3, "rows": {"market_data": 3}}, "neither or both"),
        ({"rows": {"market": 3}}, "unknown topic 'market'"),
        ({"rows": {"market_data": -3}}, "rows of market_data is -3"),
        ({"rows": {}}, "no rows were asked for"),
        ({"events": 3, "format": "json"}, "unknown format 'json'"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(MarketConfigError, match=message) as caught:
        write(MarketConfig(), tmp_path, **options)  # type: ignore[arg-type]
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_parquet_refuses_malformed_records_and_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MarketConfigError, match="malformed records do not fit"):
        write(MarketConfig(faults=Faults(malformed=0.1)), tmp_path, format="parquet", events=10)
    taken = tmp_path / "taken"
    taken.write_text("here")
    with pytest.raises(MarketConfigError, match="cannot write to"):
        write(MarketConfig(), taken, events=10)
    assert taken.read_text() == "here"
