"""State stays bounded: over a long run, what each operator holds in the second half is what it held in the first.

Every query here has bounded keys and bounded windows; over a million rows pass through them in all.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.harness import plan_of, stream_peaks

ROWS = 60_000
PER_TICK = 3_000
RATE = 200
"""Rows a second in event time: a tick spans 15 seconds, longer than any window below."""
BASE_US = 1_700_000_000_000_000

QUERIES = {
    "filter": "SELECT k, x FROM a WHERE x > 3",
    "ROWS frame": "SELECT k, AVG(x) OVER (PARTITION BY k ORDER BY timestamp ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS m FROM a",
    "LAG": "SELECT k, LAG(x, 5) OVER (PARTITION BY k ORDER BY timestamp) AS m FROM a",
    "RANGE frame": "SELECT k, SUM(x) OVER (PARTITION BY k ORDER BY timestamp RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND CURRENT ROW) AS m FROM a",
    "running total": "SELECT k, SUM(x) OVER (PARTITION BY k ORDER BY timestamp) AS m FROM a",
    "first row per key": "SELECT k, x FROM a QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp) = 1",
    "last row per key": "SELECT k, x FROM a QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY timestamp DESC) = 1",
    "Top-N": "SELECT k, x, id FROM a QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY x DESC, id) <= 3",
    "DISTINCT": "SELECT DISTINCT k, x FROM a",
    "tumbling window": "SELECT k, window_end, SUM(x) AS s FROM a GROUP BY k, TUMBLE(timestamp, INTERVAL 5 SECOND)",
    "hop window": "SELECT k, window_end, STDDEV(x) AS s FROM a GROUP BY k, HOP(timestamp, INTERVAL 1 SECOND, INTERVAL 4 SECOND)",
    "cumulate window": "SELECT k, window_end, SUM(x) AS s FROM a GROUP BY k, CUMULATE(timestamp, INTERVAL 1 SECOND, INTERVAL 4 SECOND)",
    "session window": "SELECT g, window_end, SUM(x) AS s FROM a GROUP BY g, SESSION(timestamp, INTERVAL 1 SECOND)",
    "window that keeps rows": "SELECT k, window_end, HISTOGRAM(x) AS s FROM a GROUP BY k, TUMBLE(timestamp, INTERVAL 5 SECOND)",
    "GROUP BY without a window": "SELECT k, SUM(x) AS s, MAX(x) AS m, STDDEV(x) AS d FROM a GROUP BY k",
    "interval join": "SELECT a.id, b.id AS other FROM a JOIN b ON a.g = b.g AND b.timestamp BETWEEN a.timestamp - INTERVAL 1 SECOND AND a.timestamp",
    "interval full join": "SELECT a.id, b.id AS other FROM a FULL JOIN b ON a.g = b.g AND b.timestamp BETWEEN a.timestamp - INTERVAL 1 SECOND AND a.timestamp",
    "interval anti join": "SELECT a.id FROM a ANTI JOIN b ON a.g = b.g AND b.timestamp BETWEEN a.timestamp - INTERVAL 1 SECOND AND a.timestamp",
    "ASOF join": "SELECT a.id, b.id AS other FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.timestamp >= b.timestamp",
    "join of groups": "SELECT l.k, l.s, r.m FROM (SELECT k, SUM(x) AS s FROM a GROUP BY k) l LEFT JOIN (SELECT k, MAX(x) AS m FROM b GROUP BY k) r ON l.k = r.k",
    "EXCEPT": "SELECT k FROM a EXCEPT SELECT k FROM b",
    "window over windows": "WITH w AS (SELECT k, window_end AS timestamp, SUM(x) AS s FROM a GROUP BY k, TUMBLE(timestamp, INTERVAL 1 SECOND)) SELECT k, s - LAG(s) OVER (PARTITION BY k ORDER BY timestamp) AS d FROM w",
}


def rows(seed: int) -> pa.Table:
    """Evenly spaced rows, a little out of order; `g` has so many values that few rows meet in a join."""
    rng = np.random.default_rng(seed)
    ts = BASE_US + np.arange(ROWS) * (1_000_000 // RATE) + rng.integers(0, 500_000, ROWS)
    return pa.table(
        {
            "id": pa.array(np.arange(ROWS)),
            "k": pa.array([f"k{i}" for i in rng.integers(0, 40, ROWS)]),
            "g": pa.array(rng.integers(0, 200, ROWS)),
            "x": pa.array(rng.integers(0, 50, ROWS)),
            "timestamp": pa.array(ts, pa.timestamp("us")),
        }
    )


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return {"a": rows(1), "b": rows(2)}


@pytest.mark.parametrize("name", QUERIES)
def test_second_half_holds_no_more_than_the_first(name: str, tables: dict[str, pa.Table]) -> None:
    plan = plan_of(QUERIES[name], tables, {"watermark.delay": "1s"})
    peaks = stream_peaks(plan, tables, PER_TICK)
    half = len(peaks) // 2
    for operator in range(len(peaks[0])):
        early, late = peaks[2:half], peaks[half:]
        what = late[0][operator].name
        assert max(s[operator].state_rows for s in late) <= 1.1 * max(s[operator].state_rows for s in early) + 50, what
        assert (
            max(s[operator].state_bytes for s in late) <= 1.25 * max(s[operator].state_bytes for s in early) + 65_536
        ), what


def test_state_that_grows_is_noticed(tables: dict[str, pa.Table]) -> None:
    plan = plan_of("SELECT id, COUNT(*) AS n FROM a GROUP BY id", tables)
    peaks = stream_peaks(plan, tables, PER_TICK)
    held = [sum(s.state_rows for s in stats) for stats in peaks]
    assert held[-1] == ROWS
    assert held[len(held) // 2] < 0.6 * ROWS
