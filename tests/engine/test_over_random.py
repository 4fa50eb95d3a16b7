"""Random window functions over random rows: every frame, order, partition and combination, against DuckDB in batch."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import batch, comparable, plan_of, stream

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("k", pa.string()),
        ("g", pa.int32()),
        ("v", pa.int64()),
        ("f", pa.float64()),
        ("ts", pa.timestamp("us")),
    ]
)
BUCKET = "time_bucket(INTERVAL 3 SECOND, ts, TIMESTAMP '1970-01-01')"
PARTITIONS = ["", "k", "g", "k, g", "date_trunc('second', ts)", f"k, {BUCKET}", "ts"]
TIES = ["", "", ", v", ", f DESC", ", g, v"]
ANYWHERE = [
    "SUM(v)", "COUNT(*)", "COUNT(v)", "AVG(f)", "MIN(f)", "MAX(v)", "SUM(v) FILTER (WHERE f > 0)", "VAR_POP(v)",
    "BOOL_OR(v > 30)", "COUNT(v) FILTER (WHERE v > 10)", "FIRST_VALUE(v{o})", "LAST_VALUE(v{o})", "NTH_VALUE(v, 2{o})",
    "FIRST_VALUE(v{o} IGNORE NULLS)", "LAST_VALUE(f{o} IGNORE NULLS)", "NTH_VALUE(f, 2{o} IGNORE NULLS)",
]  # fmt: skip
BOUNDED = ["COUNT(DISTINCT g)", "MEDIAN(v)", "LIST(g{o})"]
SHIFTS = [
    "LAG(v)", "LEAD(v)", "LAG(v, 2, -1)", "LEAD(f, 3, 0.5)", "LAG(v IGNORE NULLS)", "LEAD(v, 2 IGNORE NULLS)",
]  # fmt: skip
UNITS = {"ROWS": [1, 2, 4], "GROUPS": [1, 2], "RANGE": ["INTERVAL 1 SECOND", "INTERVAL 3 SECOND"], "MS": [700, 2000]}


def rows(rng: random.Random) -> pa.Table:
    """Ties, NULLs, gaps, times between milliseconds; at most 2 s out of order."""
    made, now = [], BASE_US
    for number in range(rng.choice([0, 3, 20, 45])):
        now += rng.choice([0, 0, 0, 300, 700, 1000, 1000, 2500, 9000]) * 1000 + rng.choice([0, 0, 137])
        made.append(
            {
                "id": number,
                "k": rng.choice(["a", "b", None]),
                "g": rng.randrange(3),
                "v": None if rng.random() < 0.15 else rng.randrange(-5, 50),
                "f": None if rng.random() < 0.1 else round(rng.uniform(-3, 3), 3),
                "ts": now - rng.choice([0, 0, 500_000, 1_500_000]),
            }
        )
    return pa.Table.from_pylist(made, schema=SCHEMA)


def bounds(rng: random.Random, kind: str) -> tuple[str, bool]:
    """A legal pair of bounds, and whether it is open."""
    units = UNITS[kind]
    points = [f"{u} PRECEDING" for u in reversed(units)] + ["CURRENT ROW"] + [f"{u} FOLLOWING" for u in units]
    end = rng.randrange(len(points))
    start = rng.randrange(-1, end + 1)
    return f"BETWEEN {'UNBOUNDED PRECEDING' if start < 0 else points[start]} AND {points[end]}", start < 0


def call(rng: random.Random) -> tuple[str, str]:
    """A window function, and the same with ties broken for the oracle."""
    partition = rng.choice(PARTITIONS)
    by = f"PARTITION BY {partition} " if partition else ""
    kind = rng.choice(["RANK", "SHIFT", "DEFAULT", "ROWS", "GROUPS", "RANGE", "MS"])
    ties = "" if kind in ("RANGE", "MS") else rng.choice(TIES)
    frame, is_open = bounds(rng, kind) if kind in UNITS else ("", kind != "SHIFT")
    desc = " DESC" if not is_open and rng.random() < 0.15 else ""
    exact = f"__ts{desc}{ties}, __pos{desc}"
    if kind == "RANK":
        name = rng.choice(["ROW_NUMBER()", "RANK()", "DENSE_RANK()"])
        order = exact if name == "ROW_NUMBER()" else f"ts{ties}"
        return f"{name} OVER ({by}ORDER BY ts{ties})", f"{name} OVER ({by}ORDER BY {order})"
    if kind == "SHIFT":
        name = rng.choice(SHIFTS)
        return f"{name} OVER ({by}ORDER BY ts{desc}{ties})", f"{name} OVER ({by}ORDER BY {exact})"
    excluded = ["", "", "", " EXCLUDE CURRENT ROW"] + [" EXCLUDE GROUP", " EXCLUDE TIES"] * (kind != "ROWS")
    frame += "" if is_open else rng.choice(excluded)
    name = rng.choice(ANYWHERE if is_open else ANYWHERE + BOUNDED)
    plain = name.replace("{o}", "")
    if kind == "ROWS":
        return (
            f"{plain} OVER ({by}ORDER BY ts{desc}{ties} ROWS {frame})",
            f"{plain} OVER ({by}ORDER BY {exact} ROWS {frame})",
        )
    key = "epoch_ms(ts)" if kind == "MS" or (kind != "RANGE" and rng.random() < 0.15) else "ts"
    window = f"({by}ORDER BY {key}{desc}{ties} {'RANGE' if kind == 'MS' else kind if frame else ''} {frame})"
    inside = f" ORDER BY {key}{desc}{ties}, __ts{desc}, __pos{desc}"
    return f"{plain} OVER {window}", f"{name.replace('{o}', inside)} OVER {window}"


@pytest.mark.parametrize("block", range(6))
def test_random_window_functions(block: int, tmp_path: Path) -> None:
    for seed in range(block * 12, block * 12 + 12):
        rng = random.Random(seed)
        data = {"s": rows(rng)}
        calls = [call(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
        rest = rng.choice(["", "", " QUALIFY w0 IS NOT NULL"])
        query, oracle = (
            f"SELECT id, {', '.join(f'{c[side]} AS w{i}' for i, c in enumerate(calls))} FROM s{rest}" for side in (0, 1)
        )
        expected = comparable(batch(oracle, data))
        plan = plan_of(query, data, {"watermark.delay": "3s"})
        for size, restart in ((rng.choice([1, 5, None]), None), (None, tmp_path)):
            run = stream(plan, data, batch_rows=size, rng=random.Random(seed), restart=restart)
            assert comparable(run.rows) == expected, f"seed {seed}, batches of {size}: {query}"
            assert (run.late, run.rejected) == (0, 0), f"seed {seed}: {query}"
