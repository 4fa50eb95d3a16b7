"""The shipped application over generated files, through files, codec, engine and sinks: equal to DuckDB in batch."""

from __future__ import annotations

import json
from datetime import UTC

import duckdb
import pytest
import velostream_generator as market

from tests.engine.harness import comparable
from tests.engine.test_trading_jobs import ORACLES
from velostream_nb.core.files import shipped
from velostream_nb.jobs.batch import run_files

TOPICS = {
    "price_movements": "price_alerts",
    "volume_spikes": "volume_spikes",
    "risk_limits": "risk_alerts",
    "order_imbalance": "order_imbalance_alerts",
    "arbitrage": "arbitrage_opportunities",
}
DISORDER_MS = 2_000


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Seven minutes of market with rows out of order and duplicated, as JSON lines."""
    folder = tmp_path_factory.mktemp("day")
    faults = market.Faults(disorder=0.1, disorder_ms=DISORDER_MS, duplicate=0.01, seed=5)
    config = market.MarketConfig(seed=5, faults=faults)
    market.write(config, folder, format="jsonl", events=30_000)
    return folder


@pytest.fixture(scope="module")
def batch(day):
    """Each oracle's rows, over the same files; the record number breaks ties."""
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET asof_loop_join_threshold = 0")
        for topic in market.TOPICS:
            con.execute(
                f"CREATE TABLE {topic} AS SELECT * REPLACE (make_timestamp(timestamp * 1000) AS timestamp), "
                f"timestamp * 1000 AS __ts, row_number() OVER () AS __pos "
                f"FROM read_json('{day / topic}.jsonl', format = 'newline_delimited')"
            )
        # the oracle of the risk job asks for every row's totals afresh: too slow for a whole file
        return {name: con.sql(sql).to_arrow_table() for name, sql in ORACLES.items() if name != "risk_limits"}


@pytest.mark.parametrize("batch_rows", [700, 50_000])
def test_files_through_the_whole_way_equal_batch(day, batch, batch_rows, tmp_path):
    text = f"SET 'watermark.delay' = '{DISORDER_MS}ms';\n" + shipped("sql/financial_trading.sql").read_text()
    sources = {topic: day / f"{topic}.jsonl" for topic in market.TOPICS}
    summary = run_files(text, sources, sink_dir=tmp_path, batch_rows=batch_rows)
    assert summary.ok
    assert all((job.late, job.failed) == (0, 0) for job in summary.jobs)
    for name, table in batch.items():
        lines = (tmp_path / f"{TOPICS[name]}.jsonl").read_text().splitlines()
        streamed = [json.loads(line) for line in lines]
        times = [f.name for f in table.schema if str(f.type).startswith("timestamp")]
        expected = [
            {k: int(v.timestamp() * 1000 + 0.5) if k in times else v for k, v in row.items()} for row in _utc(table)
        ]
        assert streamed, name
        assert comparable(streamed) == comparable(expected), name


def _utc(table):
    return [
        {k: v.replace(tzinfo=UTC) if hasattr(v, "tzinfo") else v for k, v in row.items()} for row in table.to_pylist()
    ]


def test_malformed_records_are_set_aside_and_counted(tmp_path):
    faults = market.Faults(malformed=0.02, seed=9)
    folder = tmp_path / "day"
    market.write(market.MarketConfig(seed=9, faults=faults), folder, format="jsonl", events=6_000)
    sources = {topic: folder / f"{topic}.jsonl" for topic in market.TOPICS}
    summary = run_files(shipped("sql/financial_trading.sql").read_text(), sources, sink_dir=tmp_path / "out")
    assert summary.ok
    for job in summary.jobs:
        letters = (tmp_path / "out" / f"{job.name}.dlq.jsonl").read_text().splitlines()
        assert len(letters) == job.failed > 0
        assert all(json.loads(line)["reason"] for line in letters)
