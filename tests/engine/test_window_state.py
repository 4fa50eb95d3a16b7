"""What windows hold stays flat, however long they run, and is reported as it is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import plan_of
from velostream_nb.core.records import POS, TS, Decoded
from velostream_nb.engine.job import JobEngine

ROWS, TICK = 200_000, 1_000
KEYS = 50
SCHEMA = pa.schema([("k", pa.int64()), ("x", pa.float64()), ("timestamp", pa.timestamp("us"))])


def ticks():
    """200,000 rows, a hundred a second, each at most a second out of order, in 200 ticks."""
    rng = np.random.default_rng(0)
    ts = BASE_US + np.arange(ROWS) * 10_000 - rng.integers(0, 1_000_000, ROWS)
    # a key pauses now and then, so that its sessions end
    k = (rng.integers(0, 5, ROWS) + np.arange(ROWS) // 2_000 * 5) % KEYS
    x = rng.random(ROWS)
    for low in range(0, ROWS, TICK):
        part = slice(low, low + TICK)
        columns = [k[part], x[part], ts[part], ts[part], np.arange(low, low + TICK)]
        names = [*SCHEMA.names, TS, POS]
        arrays = [pa.array(c) for c in columns]
        arrays[2] = arrays[2].cast(pa.timestamp("us"))
        yield pa.RecordBatch.from_arrays(arrays, names=names)


BOUNDS = {
    # (what one window or session holds) x (windows open at once), and what a compaction lets pile up
    "tumble": ("SELECT k, window_end, SUM(x) AS v FROM t GROUP BY k, TUMBLE(timestamp, 10s)", 4_096 + 5 * KEYS),
    "hop": ("SELECT k, window_end, AVG(x) AS v FROM t GROUP BY k, HOP(timestamp, 1s, 60s)", 4_096 + 3 * 62 * KEYS),
    "cumulate": ("SELECT window_end, SUM(x) AS v FROM t GROUP BY CUMULATE(timestamp, 1s, 60s)", 4_096 + 62),
    "rows kept": ("SELECT window_end, MEDIAN(x) AS v, MODE(k) AS m FROM t GROUP BY TUMBLE(timestamp, 10s)", 1_800),
    "session": ("SELECT k, window_end, SUM(x) AS v FROM t GROUP BY k, SESSION(timestamp, 2s)", 256 + 5 * KEYS),
    "one long session": ("SELECT window_end, SUM(x) AS v FROM t GROUP BY SESSION(timestamp, 1h)", 300),
    "early": ("SELECT k, window_end, SUM(x) AS v FROM t GROUP BY k, TUMBLE(timestamp, 10s) EMIT CHANGES", 4_096 + 500),
    "early sessions": (
        "SELECT k, window_end, SUM(x) AS v FROM t GROUP BY k, SESSION(timestamp, 2s) EMIT CHANGES",
        256 + 10 * KEYS,
    ),
    "windows of windows": (
        "WITH a AS (SELECT k, window_end AS e, SUM(x) AS v FROM t GROUP BY k, TUMBLE(timestamp, 1s)) "
        "SELECT window_end, MAX(v) AS v FROM a GROUP BY TUMBLE(e, 1m)",
        2 * 4_096 + 5 * KEYS,
    ),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_state_is_flat(name):
    query, bound = BOUNDS[name]
    engine = JobEngine(plan_of(query, {"t": SCHEMA.empty_table()}, {"watermark.delay": "1s"}))
    peaks, late = [], 0
    for number, batch in enumerate(ticks()):
        late += engine.tick({"t": [Decoded(batch)]}).late
        if number % 10 == 9:
            peaks.append(sum(s.state_rows for s in engine.stats()))
    assert late == 0
    assert max(peaks) <= bound
    half = len(peaks) // 2
    assert max(peaks[half:]) <= max(peaks[:half]) + 2 * KEYS, "state grows with the history"
    engine.tick({}, final=True)
    assert sum(s.state_rows + s.state_bytes for s in engine.stats()) == 0
    engine.close()


@pytest.mark.parametrize("name", ["tumble", "rows kept", "session"])
def test_bytes_are_those_of_the_rows(name):
    engine = JobEngine(plan_of(BOUNDS[name][0], {"t": SCHEMA.empty_table()}, {"watermark.delay": "1h"}))
    for number, batch in zip(range(4), ticks(), strict=False):
        engine.tick({"t": [Decoded(batch)]})
        held = engine.stats()
        rows, size = sum(s.state_rows for s in engine.stats()), sum(s.state_bytes for s in engine.stats())
        assert 16 * rows <= size <= 200 * rows, held
        assert rows <= (number + 1) * TICK
    engine.close()
