"""Window functions computed on arrays: every type, frame and corner of arithmetic equals DuckDB's, whoever computes."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import batch, comparable, decoded, plan_of, stream
from velostream_nb.engine.accumulated import Accumulated
from velostream_nb.engine.carried import Carried
from velostream_nb.engine.framed import Framed
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.over import Over
from velostream_nb.engine.pools import Numbers

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("k", pa.string()),
        ("g", pa.float64()),
        ("day", pa.date32()),
        ("v", pa.int64()),
        ("i", pa.int32()),
        ("u", pa.uint8()),
        ("big", pa.int64()),
        ("f", pa.float64()),
        ("wild", pa.float64()),
        ("r", pa.float32()),
        ("b", pa.bool_()),
        ("d", pa.decimal128(12, 3)),
        ("list", pa.list_(pa.int64())),
        ("ts", pa.timestamp("us")),
    ]
)
ANY = ["k", "g", "day", "v", "i", "u", "big", "f", "wild", "r", "b", "d", "list", "ts"]
WHOLE, REAL = ["v", "i", "u", "big", "d"], ["f", "wild", "r"]
ORDERED = [*WHOLE, *REAL, "day", "ts"]
PARTITIONS = ["", "k", "g", "k, day", "b, i"]
WILD = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 1e308, -1e308, 2.5]
BIG = [2**63 - 1, -(2**63), 2**62, -1, 0, 1, 2**53 + 1]
ROWS = ["CURRENT ROW", "1 PRECEDING", "3 PRECEDING", "7 PRECEDING", "2 FOLLOWING", "5 FOLLOWING"]
RANGE = [w if w == "CURRENT ROW" else f"INTERVAL {w.replace(' ', ' SECOND ', 1)}" for w in ROWS]


def rows(rng: random.Random, count: int) -> pa.Table:
    """Ties, disorder, NULLs in every column, NaN and infinities, integers whose sums need more than 64 bits."""
    made: list[dict[str, Any]] = []
    now = BASE_US
    for number in range(count):
        now += rng.choice([0, 0, 400, 1000, 1000, 2500, 9000]) * 1000 + rng.choice([0, 0, 137])
        row = {
            "k": rng.choice(["a", "b", "", "ü"]),
            "g": rng.choice([0.0, -0.0, float("nan"), 1.5]),
            "day": dt.date(2024, 1, rng.randrange(1, 3)),
            "v": rng.randrange(-5, 50),
            "i": rng.randrange(-2, 2),
            "u": rng.randrange(256),
            "big": rng.choice(BIG),
            "f": round(rng.uniform(-3, 3), 3),
            "wild": rng.choice(WILD) if rng.random() < 0.2 else rng.uniform(0, 2),
            "r": rng.choice([0.5, 0.1, -2.0]),
            "b": rng.random() < 0.5,
            "d": Decimal(rng.randrange(-999, 999)) / 1000,
            "list": [rng.randrange(3)] * rng.randrange(3),
        }
        row = {name: None if rng.random() < 0.12 else value for name, value in row.items()}
        made.append({**row, "id": number, "ts": now - rng.choice([0, 0, 500_000, 1_500_000])})
    return pa.Table.from_pylist(made, schema=SCHEMA)


def bounds(rng: random.Random, points: list[str]) -> str:
    """Of a frame that may be empty, or lie ahead."""

    def place(point: str) -> int:
        return (
            0 if point == "CURRENT ROW" else int("".join(filter(str.isdigit, point))) * (-1 if "PREC" in point else 1)
        )

    start, end = sorted(rng.choices(points, k=2), key=place)
    return f"BETWEEN {start} AND {end}"


def framed(rng: random.Random) -> tuple[str, str]:
    """A window function over a bounded frame, and the same for the oracle."""
    shape = rng.randrange(7)
    by = rng.choice(PARTITIONS)
    by = f"PARTITION BY {by} " if by else ""
    exact = f"({by}ORDER BY __ts, __pos"
    if shape == 0:
        column = rng.choice(ANY)
        call = rng.choice(["LAG({})", "LEAD({})", "LAG({}, 3)", "LEAD({}, 2)", "LAG({}, 0)", "LAG({}, -1)"]).format(
            column
        )
        return f"{call} OVER ({by}ORDER BY ts)", f"{call} OVER {exact})"
    if shape == 1:
        call = rng.choice(
            ["LAG(v, 2, -1)", "LEAD(k, 1, 'none')", "LAG(f, 1, 0.5)", "LAG(b, 1, true)", "LAG(day, 1, '2024-05-05')"]
        )
        return f"{call} OVER ({by}ORDER BY ts)", f"{call} OVER {exact})"
    if shape == 2:
        call = f"{rng.choice(['FIRST_VALUE', 'LAST_VALUE'])}({rng.choice(ANY)})"
    elif shape == 3:
        call = rng.choice(["COUNT(*)", "COUNT({})", "COUNT(*) FILTER (WHERE v > 10)"]).format(rng.choice(ANY))
    elif shape == 4:
        call = f"{rng.choice(['MIN', 'MAX'])}({rng.choice(ORDERED)})"
    else:
        call = f"{rng.choice(['SUM', 'AVG'])}({rng.choice([*WHOLE, *REAL, 'v * 2', 'v + i', 'd * 2', 'd * d * d'])})"
        call += rng.choice(["", "", " FILTER (WHERE b)"])
    if rng.random() < 0.6 or shape == 2:
        frame = f"ROWS {bounds(rng, ROWS)}"
        return f"{call} OVER ({by}ORDER BY ts {frame})", f"{call} OVER {exact} {frame})"
    window = f"({by}ORDER BY ts RANGE {bounds(rng, RANGE)})"
    return f"{call} OVER {window}", f"{call} OVER {window}"


def running(rng: random.Random) -> tuple[str, str]:
    """A running value, and the same for the oracle."""
    by = rng.choice(PARTITIONS)
    by = f"PARTITION BY {by} " if by else ""
    if rng.random() < 0.3:
        name = rng.choice(["ROW_NUMBER()", "RANK()", "DENSE_RANK()"])
        order = "__ts, __pos" if name == "ROW_NUMBER()" else "ts"
        return f"{name} OVER ({by}ORDER BY ts)", f"{name} OVER ({by}ORDER BY {order})"
    call = rng.choice(["COUNT(*)", "COUNT(k)", f"SUM({rng.choice([*WHOLE, *REAL])})", f"AVG({rng.choice([*WHOLE, 'f'])})",
                       f"MIN({rng.choice(ORDERED)})", f"MAX({rng.choice(ORDERED)})"])  # fmt: skip
    call += rng.choice(["", "", " FILTER (WHERE b)"])
    if rng.random() < 0.5:
        return f"{call} OVER ({by}ORDER BY ts)", f"{call} OVER ({by}ORDER BY ts)"
    return (
        f"{call} OVER ({by}ORDER BY ts ROWS UNBOUNDED PRECEDING)",
        f"{call} OVER ({by}ORDER BY __ts, __pos ROWS UNBOUNDED PRECEDING)",
    )


@pytest.fixture(params=["arrays", "DuckDB"])
def computed_by(request, monkeypatch):
    if request.param == "DuckDB":
        for kind in (Over, Carried):
            monkeypatch.setattr(kind, "for_node", classmethod(lambda cls, *_: cls))
    return request.param


@pytest.mark.parametrize("kind", [framed, running])
@pytest.mark.parametrize("block", range(3))
def test_random_calls(kind, block, computed_by, tmp_path: Path):
    for seed in range(block * 8, block * 8 + 8):
        rng = random.Random(seed)
        data = {"s": rows(rng, rng.choice([5, 30, 60]))}
        calls = [kind(rng) for _ in range(rng.choice([1, 2, 4]))]
        rest = rng.choice(["", "", " QUALIFY w0 IS NOT NULL"])
        query, oracle = (
            f"SELECT id, 1::HUGEINT AS wide, {', '.join(f'{c[side]} AS w{i}' for i, c in enumerate(calls))} FROM s{rest}"
            for side in (0, 1)
        )
        expected = comparable(batch(oracle, data))
        plan = plan_of(query, data, {"watermark.delay": "3s"})
        for size, restart in ((rng.choice([1, 4, 1000]), None), (None, tmp_path)):
            run = stream(plan, data, batch_rows=size, rng=random.Random(seed), restart=restart)
            assert comparable(run.rows) == expected, f"seed {seed}, batches of {size}: {query}"
            assert (run.late, run.rejected) == (0, 0), query


@pytest.mark.parametrize(
    "calls",
    [
        "SUM(f) OVER (w ROWS 9 PRECEDING) AS a, AVG(f) OVER (w ROWS BETWEEN 6 PRECEDING AND 1 PRECEDING) AS b",
        "SUM(f) OVER (w RANGE INTERVAL 9 SECOND PRECEDING) AS a",
        "SUM(f) OVER (w) AS a, AVG(f) OVER (w ROWS UNBOUNDED PRECEDING) AS b",
    ],
)
def test_no_batching_changes_the_last_bit(calls):
    data = {"s": rows(random.Random(3), 400)}
    query = f"SELECT id, {calls} FROM s".replace("(w", "(PARTITION BY b ORDER BY ts")
    plan = plan_of(query, data, {"watermark.delay": "3s"})
    answers = {
        repr(sorted(map(repr, stream(plan, data, batch_rows=size, rng=random.Random(1)).rows)))
        for size in (1, 7, 10_000)
    }
    assert len(answers) == 1


W = "OVER (PARTITION BY k ORDER BY ts)"
ON_ARRAYS = {
    f"LAG(list, 2) {W}": Framed,
    f"LEAD(d) {W}": Framed,
    f"LAG(v, 1, -1) {W}": Framed,
    "AVG(v) OVER (PARTITION BY g ORDER BY ts ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)": Framed,
    "SUM(v * f) OVER (ORDER BY ts RANGE INTERVAL 1 MINUTE PRECEDING)": Framed,
    "COUNT(*) FILTER (WHERE b) OVER (ORDER BY ts DESC ROWS 3 PRECEDING)": Framed,
    f"SUM(v) {W}": Accumulated,
    f"RANK() {W}": Accumulated,
    f"AVG(f) FILTER (WHERE b) {W}": Accumulated,
}
IN_DUCKDB = {
    "LAG(v IGNORE NULLS) OVER (ORDER BY ts)": Over,
    "SUM(d::DECIMAL(30, 3)) OVER (ORDER BY ts ROWS 2 PRECEDING)": Over,
    "SUM(v) OVER (ORDER BY ts, v ROWS 2 PRECEDING)": Over,
    "SUM(v) OVER (ORDER BY ts ROWS 2 PRECEDING EXCLUDE CURRENT ROW)": Over,
    "SUM(v) OVER (ORDER BY ts GROUPS 2 PRECEDING)": Over,
    "COUNT(*) OVER (PARTITION BY list ORDER BY ts ROWS 2 PRECEDING)": Over,
    "MIN(k) OVER (ORDER BY ts ROWS 2 PRECEDING)": Over,
    "SUM(d::DECIMAL(30, 3)) OVER (ORDER BY ts)": Carried,
    "MAX(k) OVER (ORDER BY ts)": Carried,
}


@pytest.mark.parametrize("call", [*ON_ARRAYS, *IN_DUCKDB])
def test_who_computes(call):
    engine = JobEngine(plan_of(f"SELECT {call} AS w FROM s", {"s": rows(random.Random(0), 1)}))
    try:
        kinds = [type(node.operator) for node in engine.nodes]
    finally:
        engine.close()
    assert {**ON_ARRAYS, **IN_DUCKDB}[call] in kinds


def test_a_sum_beyond_64_bits_stays_whole():
    data = {
        "s": pa.Table.from_pylist([{"id": i, "big": 2**63 - 1, "ts": BASE_US + i} for i in range(50)], schema=SCHEMA)
    }
    query = "SELECT SUM(big) OVER (ORDER BY ts ROWS 30 PRECEDING)::HUGEINT AS a, SUM(big) OVER (ORDER BY ts)::HUGEINT AS b FROM s"
    run = stream(plan_of(query, data), data, batch_rows=9, rng=random.Random(0))
    most = 2**63 - 1
    assert [(int(r["a"]), int(r["b"])) for r in run.rows] == [
        (most * min(i + 1, 31), most * (i + 1)) for i in range(50)
    ]


@pytest.mark.parametrize("size", [1, 40, None])
def test_partitions_that_are_forgotten_come_back(size, tmp_path: Path):
    rng = random.Random(11)
    made = []
    for number in range(700):
        era = number // 100 % 3  # each key is silent for 200 rows, which is longer than any frame
        key = rng.choice([None, "", f"{era} short", f"{era} longer than a word", f"{era} {'very ' * 9}long"])
        g = rng.choice([0.0, -0.0, float("nan"), None, 2.5])
        made.append({"id": number, "k": key, "g": g, "v": rng.choice([None, number]), "f": rng.uniform(-1, 1),
                     "list": [number], "ts": BASE_US + number * 100_000})  # fmt: skip
    data = {"s": pa.Table.from_pylist(made, schema=SCHEMA)}
    by = "PARTITION BY k, g ORDER BY"
    query, oracle = (
        f"SELECT id, SUM(f) OVER ({by} ts RANGE INTERVAL 5 SECOND PRECEDING) AS a, LAG(list, 2) OVER ({by} {exact}) AS b, "
        f"COUNT(v) OVER ({by} ts RANGE INTERVAL 3 SECOND PRECEDING) AS c, MIN(f) OVER ({by} ts) AS d FROM s"
        for exact in ("ts", "__ts, __pos")
    )
    plan = plan_of(query, data)
    run = stream(plan, data, batch_rows=size, rng=random.Random(2), restart=tmp_path if size != 1 else None)
    assert comparable(run.rows) == comparable(batch(oracle, data))


def test_a_tick_costs_its_partitions_not_all_of_them(monkeypatch):
    keys = 5_000
    made = [{"id": i, "k": f"key {i % keys}", "v": i, "ts": BASE_US + i * 1_000} for i in range(keys * 3)]
    data = pa.Table.from_pylist(made, schema=SCHEMA)
    query = "SELECT id, SUM(v) OVER (PARTITION BY k ORDER BY ts ROWS 1 PRECEDING) AS s FROM s"
    engine = JobEngine(plan_of(query, {"s": data}))
    try:
        engine.tick({"s": [decoded(data, 0, keys * 2)]})
        read: list[int] = []
        take, move = Numbers.take, Numbers.move
        monkeypatch.setattr(Numbers, "take", lambda self, places: read.append(len(places)) or take(self, places))
        monkeypatch.setattr(Numbers, "move", lambda self, *a: read.append(len(a[0])) or move(self, *a))
        outcome = engine.tick({"s": [decoded(data, keys * 2, keys * 2 + 10)]})
        assert outcome.rows["s"].to_pylist() == [2 * i - keys for i in range(keys * 2, keys * 2 + 10)]
        assert 20 <= sum(read) <= 30  # ten rows and ten before them, ten of which may have moved
        assert engine.stats()[-1].state_rows == keys
    finally:
        engine.close()
