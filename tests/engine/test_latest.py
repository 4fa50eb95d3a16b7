"""The newest row per key: through many replacements, ties, NULL keys, late rows and restarts, DuckDB's answer."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import assert_one_answer, decoded, plan_of
from velostream_nb.engine.job import JobEngine

ROWS = pa.schema([("k", pa.string()), ("g", pa.float64()), ("x", pa.int64()), ("ts", pa.timestamp("us"))])


def rows(count: int, keys: int, disorder_us: int) -> pa.Table:
    rng = np.random.default_rng(keys)
    ts = BASE_US + np.arange(count) // 3 * 1_000 - rng.integers(0, disorder_us + 1, count)
    names = [None if n == 0 else f"k{n}" for n in rng.integers(0, keys, count)]
    groups = rng.choice([0.0, -0.0, float("nan"), 2.5], count)
    return pa.table([names, groups, np.arange(count), pa.array(ts).cast(pa.timestamp("us"))], schema=ROWS)


@pytest.mark.parametrize("keys", [3, 300])
@pytest.mark.parametrize("by", ["k", "k, g"])
def test_newest_rows_equal_batch(keys, by, tmp_path):
    """Enough rows that those replaced are swept away."""
    query, oracle = (
        f"SELECT k, g, x, ts FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY {by} ORDER BY {order}) = 1"
        for order in ("ts DESC", "__ts DESC, __pos DESC")
    )
    data = {"s": rows(9_000, keys, 50_000)}
    assert_one_answer(query, oracle, data, tmp_path=tmp_path, batches=(1_000,))


def test_what_is_kept_follows_the_keys():
    data = rows(40_000, 100, 0)
    engine = JobEngine(
        plan_of("SELECT k, x FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) = 1", {"s": data})
    )
    kept, rng, start = [], random.Random(1), 0
    while start < data.num_rows:
        stop = min(data.num_rows, start + rng.choice([50, 900, 5_000]))
        engine.tick({"s": [decoded(data, start, stop)]})
        kept.append(next(s for s in engine.stats() if s.name == "latest"))
        start = stop
    engine.close()
    assert kept[-1].state_rows == 100
    assert max(s.state_bytes for s in kept) < 100_000
