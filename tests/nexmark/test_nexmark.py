"""Nexmark: what each query streams over disordered events is what DuckDB answers in batch."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from velostream_generator import NEXMARK_SCHEMAS, NEXMARK_TIME, NEXMARK_TOPICS, NexmarkConfig, nexmark

from tests.engine.changelog import Changelog
from tests.engine.harness import comparable
from tests.nexmark.oracle import ORACLES
from velostream_nb.core.errors import BindError
from velostream_nb.core.records import OP, POS, TS, Decoded, pack_position
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan, StreamInfo
from velostream_nb.sql.planner import plan_job
from velostream_nb.sql.statements import CreateStream, StartJob

QUERIES = Path(__file__).parents[2] / "sql" / "nexmark"
EVENING_MS = 1_767_639_000_000
"""18:50, ten minutes before what q14 calls another time of day."""
MIDNIGHT_MS = EVENING_MS + 5 * 3_600_000 + 600_000
DISORDER_MS = 3_000
"""Less than the four seconds by which the queries' watermarks wait."""
Tables = Mapping[str, pa.Table]


@dataclass
class Declared:
    """The streams that a file declares."""

    streams: dict[str, StreamInfo] = field(default_factory=dict)

    def view(self, name: str) -> None:
        return None

    def stream(self, name: str) -> StreamInfo:
        if name not in self.streams:
            raise BindError(f"unknown stream {name!r}")
        return self.streams[name]


def declared(number: int) -> tuple[Declared, StartJob]:
    catalog = Declared()
    *streams, job = parse((QUERIES / f"q{number}.sql").read_text()).statements
    for stream in streams:
        assert isinstance(stream, CreateStream)
        catalog.streams[stream.name] = StreamInfo(stream.name, stream.name, stream.schema, stream.options)
    assert isinstance(job, StartJob)
    return catalog, job


def plan(number: int) -> JobPlan:
    catalog, job = declared(number)
    return plan_job(job, catalog, {})


def with_hidden(table: pa.Table) -> pa.Table:
    table = table.append_column(TS, table.column(NEXMARK_TIME).cast(pa.int64()))
    positions = np.arange(table.num_rows) + pack_position(0, 0)
    return table.append_column(POS, pa.array(positions)).combine_chunks()


def house(start_ms: int, seed: int, events: int) -> dict[str, pa.Table]:
    config = NexmarkConfig(events=events, seed=seed, start_ms=start_ms, rate=20.0, disorder_ms=DISORDER_MS)
    return {topic: with_hidden(table) for topic, table in nexmark(config).items()}


@pytest.fixture(scope="module")
def evening() -> dict[str, pa.Table]:
    return house(EVENING_MS, 7, 20_000)


@pytest.fixture(scope="module")
def midnight() -> dict[str, pa.Table]:
    return house(MIDNIGHT_MS - 150_000, 8, 6_000)


def streamed(plan: JobPlan, tables: Tables, *, seed: int, ticks: int) -> list[dict[str, Any]]:
    """The job's whole output (a changelog folded, and each of its changes checked) over ticks of uneven sizes."""
    rng = random.Random(seed)
    engine = JobEngine(plan)
    log = Changelog(plan.key)
    rows: list[dict[str, Any]] = []
    try:
        cuts = {t: _cuts(rng, tables[t].num_rows, ticks) for t in engine.topics}
        for tick in range(ticks + 1):
            batches = {}
            for topic in engine.topics if tick < ticks else ():
                start, stop = cuts[topic][tick], cuts[topic][tick + 1]
                if stop > start:
                    batches[topic] = [
                        Decoded(tables[topic].slice(start, stop - start).combine_chunks().to_batches()[0])
                    ]
            outcome = engine.tick(batches, final=tick == ticks)
            assert outcome.late == 0
            assert not outcome.rejected
            found = outcome.rows.to_pylist()
            if plan.changelog is None:
                rows += found
            else:
                log.take([(row.pop(OP), row) for row in found], f"tick {tick}")
    finally:
        engine.close()
    return rows if plan.changelog is None else log.rows()


def _cuts(rng: random.Random, rows: int, ticks: int) -> list[int]:
    """About equal shares, so that the topics advance together."""
    inner = [min(rows, max(0, round(rows * (n + rng.uniform(-0.4, 0.4)) / ticks))) for n in range(1, ticks)]
    return [0, *inner, rows]


def in_batch(number: int, tables: Tables) -> list[dict[str, Any]]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for topic, table in tables.items():
            con.register(topic, table)
        return con.sql(ORACLES[number]).to_arrow_table().to_pylist()


@pytest.mark.parametrize("number", ORACLES)
def test_the_streamed_answer_is_the_batch_answer(number: int, evening: dict[str, pa.Table]) -> None:
    expected = in_batch(number, evening)
    assert expected, "a query that gives no rows proves nothing"
    assert comparable(streamed(plan(number), evening, seed=number, ticks=12)) == comparable(expected)


@pytest.mark.parametrize("number", [10, 15, 16, 17])
def test_days_change_at_midnight(number: int, midnight: dict[str, pa.Table]) -> None:
    expected = in_batch(number, midnight)
    assert len({row.get("day", row.get("dt")) for row in expected}) == 2
    assert comparable(streamed(plan(number), midnight, seed=number, ticks=5)) == comparable(expected)


@pytest.mark.parametrize("number", [3, 5, 7, 9, 11, 18, 19])
def test_ticks_of_any_size_give_the_same(number: int, evening: dict[str, pa.Table]) -> None:
    some = {topic: table.slice(0, table.num_rows // 8) for topic, table in evening.items()}
    whole = comparable(streamed(plan(number), some, seed=1, ticks=1))
    assert whole
    assert comparable(streamed(plan(number), some, seed=2, ticks=40)) == whole


def test_every_query_has_a_file_and_an_oracle() -> None:
    assert set(ORACLES) == set(range(23))
    assert {path.name for path in QUERIES.glob("*.sql")} == {f"q{n}.sql" for n in ORACLES}


@pytest.mark.parametrize("number", ORACLES)
def test_declared_streams_are_the_generators(number: int) -> None:
    catalog, job = declared(number)
    assert job.output == f"nexmark_q{number}"
    for name, info in catalog.streams.items():
        assert name in NEXMARK_TOPICS
        assert info.schema.time_column == NEXMARK_TIME
        assert [(f.name, f.type) for f in info.schema.columns] == [(f.name, f.type) for f in NEXMARK_SCHEMAS[name]]


def test_the_readme_of_the_folder_names_every_query() -> None:
    text = (QUERIES / "README.md").read_text()
    assert [int(n) for n in re.findall(r"^\| q(\d+) ", text, re.MULTILINE)] == sorted(ORACLES)
