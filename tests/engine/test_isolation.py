"""A row that cannot be computed goes aside with its reason; the others get the answer they would have had."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import comparable, decoded, plan_of, stream
from velostream_nb.core.errors import StateError
from velostream_nb.engine.job import JobEngine

SCHEMA = pa.schema([("k", pa.string()), ("text", pa.string()), ("timestamp", pa.timestamp("us"))])


def feed(*texts: str) -> dict[str, pa.Table]:
    made = [{"k": "a", "text": t, "timestamp": BASE_US + n * 1_000_000} for n, t in enumerate(texts)]
    return {"s": pa.Table.from_pylist(made, schema=SCHEMA)}


QUERIES = {
    "project": "SELECT text::INT AS v FROM s",
    "filter": "SELECT text AS v FROM s WHERE text::INT > 1",
    "over": "SELECT text::INT - LAG(text::INT, 1, 0) OVER (PARTITION BY k ORDER BY timestamp) AS v FROM s",
    "running": "SELECT SUM(text::INT) OVER (PARTITION BY k ORDER BY timestamp) AS v FROM s",
    "window": "SELECT SUM(text::INT) AS v, window_end FROM s GROUP BY TUMBLE(timestamp, INTERVAL '2' SECOND)",
    "window that keeps rows": (
        "SELECT COUNT(DISTINCT text::INT) AS v, window_end FROM s GROUP BY TUMBLE(timestamp, INTERVAL '2' SECOND)"
    ),
    "join": "SELECT a.text::INT + b.text::INT AS v FROM s a JOIN s b ON a.k = b.k AND a.timestamp = b.timestamp",
}


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("name", QUERIES)
def test_bad_rows_are_set_aside_and_the_rest_is_as_if_they_had_not_come(name, size):
    good, bad = ("1", "2", "30", "4", "5", "6"), ("1", "2", "x", "30", "4", "5", "", "6")
    data = feed(*bad)
    plan = plan_of(QUERIES[name], data)
    run = stream(plan, data, batch_rows=size, rng=random.Random(0))
    times = [n for n, t in enumerate(bad) if t in good]
    kept = {"s": data["s"].take(times)}
    clean = stream(plan, kept, batch_rows=size, rng=random.Random(0))
    assert comparable(run.rows) == comparable(clean.rows)
    assert run.rejected >= 2
    assert clean.rejected == 0


def test_a_rejected_row_says_where_it_came_from_and_why():
    data = feed("1", "x", "2")
    engine = JobEngine(plan_of(QUERIES["project"], data))
    outcome = engine.tick({"s": [decoded(data["s"], 0, 3)]})
    engine.close()
    (rejected,) = outcome.rejected
    assert (rejected.topic, rejected.partition, rejected.offset) == ("s", 0, 1)
    assert "'x'" in rejected.reason
    assert b'"text": "x"' in rejected.raw


def test_a_snapshot_of_another_query_is_refused(tmp_path):
    data = feed("1", "2")
    first = JobEngine(plan_of(QUERIES["over"], data), state_dir=str(tmp_path))
    first.save(tmp_path / "s.duckdb")
    first.close()
    other = JobEngine(plan_of(QUERIES["running"], data), state_dir=str(tmp_path))
    with pytest.raises(StateError, match="different query"):
        other.load(tmp_path / "s.duckdb")
    other.close()
