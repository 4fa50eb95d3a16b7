"""Interval joins give DuckDB's answer whether sorted arrays find the pairs or DuckDB does; it is known who does."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, maybe, table, times
from tests.engine.harness import (
    assert_one_answer,
    batch,
    comparable,
    decoded,
    partitioned,
    plan_of,
    stream,
    stream_partitions,
)
from velostream_nb.engine import bands, interval_join, join_band, join_pairs, join_side
from velostream_nb.engine.job import JobEngine

DISORDER_US = 2_000_000
NAN, INF = float("nan"), float("inf")
DOUBLES = [0.0, -0.0, 1.0, -1.5, 2.0, 1e308, 5e-324, NAN, INF, -INF, 0.1]

LEFT = pa.schema(
    [("id", pa.int64()), ("s", pa.string()), ("i", pa.int32()), ("u", pa.uint64()), ("f", pa.float64()),
     ("d", pa.decimal128(6, 1)), ("x", pa.float64()), ("n", pa.int64()), ("ts", pa.timestamp("us"))],
)  # fmt: skip
RIGHT = pa.schema(
    [("id", pa.int64()), ("s", pa.string()), ("i", pa.int64()), ("u", pa.int16()), ("f", pa.float64()),
     ("d", pa.decimal128(9, 3)), ("x", pa.float64()), ("n", pa.float32()), ("ts", pa.timestamp("us"))],
)  # fmt: skip


def rows(rng: random.Random, count: int, schema: pa.Schema, disorder_us: int) -> pa.Table:
    made = [
        {
            "id": number,
            "s": maybe(rng, rng.choice(["A", "B", "", "é"]), 0.1),
            "i": maybe(rng, rng.choice([0, 1, -1]), 0.1),
            "u": maybe(rng, rng.choice([0, 1, 7]), 0.1),
            "f": maybe(rng, rng.choice([0.0, -0.0, 1.5, NAN]), 0.1),
            "d": maybe(rng, rng.choice([Decimal("0.5"), Decimal("1.0"), Decimal("-3")]), 0.1),
            "x": maybe(rng, rng.choice(DOUBLES), 0.1),
            "n": maybe(rng, rng.choice([0, 3, -2]), 0.1),
            "ts": ts - ts % 250_000,
        }
        for number, ts in enumerate(times(rng, count, disorder_us=disorder_us))
    ]
    return table(made, schema)


def tables(seed: int, disorder_us: int = DISORDER_US) -> dict[str, pa.Table]:
    rng = random.Random(seed)
    return {"a": rows(rng, 60, LEFT, disorder_us), "b": rows(rng, 55, RIGHT, disorder_us)}


NEAR = "b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '2' SECOND"
AFTER = "b.ts > a.ts + INTERVAL '250' MILLISECOND AND b.ts < a.ts + INTERVAL '3' SECOND"

SEARCHED = {
    "a text": f"a.s = b.s AND {NEAR}",
    "strict bounds on one side of zero": f"a.s = b.s AND {AFTER}",
    "bounds that hold zero, strictly": "a.s = b.s AND a.ts > b.ts - INTERVAL '1' SECOND AND a.ts <= b.ts",
    "integers of several widths": f"a.i = b.i AND a.u = b.u AND {NEAR}",
    "doubles: NaN is NaN, -0.0 is 0.0": f"a.f = b.f AND {NEAR}",
    "decimals of several scales": f"a.d = b.d AND a.s = b.s AND {NEAR}",
    "no key": NEAR,
    "no key, and different": f"a.s <> b.s AND a.i <> b.i AND {AFTER}",
    "different doubles": f"a.s = b.s AND a.f <> b.f AND {NEAR}",
    "smaller doubles, NaN the greatest": f"a.x < b.x AND a.i = b.i AND {NEAR}",
    "integers at least as great": "b.i <= a.i AND a.ts >= b.ts AND a.ts < b.ts + INTERVAL '2' SECOND",
    "the same time": "a.s = b.s AND a.ts = b.ts",
    "a quotient": f"a.s = b.s AND {NEAR} AND (b.x - a.x) / a.x * 1e4 >= 10",
    "a difference of a double and an integer": f"{AFTER} AND abs(a.x - b.x * a.i) <= 1.5 AND -a.x < b.n + b.x",
    "a product that overflows": f"a.i = b.i AND {NEAR} AND 10 * a.x > b.x * b.x",
    "integers that are added": f"a.s = b.s AND {NEAR} AND a.i + b.i > 0",
    "texts in order": f"a.i = b.i AND {NEAR} AND a.s < b.s",
    "NULLs that count": f"a.i = b.i AND {NEAR} AND coalesce(a.s, 'A') >= coalesce(b.s, 'B')",
    "conditions of one side": f"a.s = b.s AND {NEAR} AND a.n > 0 AND b.i IS NOT NULL",
    "times cut to milliseconds": "a.s = b.s AND abs(epoch_ms(a.ts) - epoch_ms(b.ts)) <= 700",
}
EVALUATED = {"integers that are added", "texts in order", "NULLs that count", "conditions of one side"}
EVALUATED |= {"times cut to milliseconds"}
"""Cases of which DuckDB computes a part for the pairs that are left."""
QUERIED = {
    "an expression as key": f"a.s = b.s AND a.i + 1 = b.i AND {NEAR}",
    "a key of types that DuckDB converts": f"a.n = b.n AND {NEAR}",
}
KINDS = ("INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI")


def query(kind: str, on: str, right: str = "b") -> str:
    columns = "a.id, a.ts" if kind in ("SEMI", "ANTI") else "a.id, a.ts, b.id AS other, b.ts AS at"
    return f"SELECT {columns} FROM a {kind} JOIN {right} AS b ON {on}"


def oracle(kind: str, on: str, right: str = "b") -> str:
    """Not DuckDB's semi join: without an equality, its IE Join loses rows that meet a further condition later."""
    if kind not in ("SEMI", "ANTI"):
        return query(kind, on, right)
    return f"SELECT a.id, a.ts FROM a WHERE {'NOT ' * (kind == 'ANTI')}EXISTS (SELECT 1 FROM {right} AS b WHERE {on})"


def _nobody(*_args: object) -> None:
    raise AssertionError("DuckDB was asked for the pairs")


def _assert_one_answer(kind: str, on: str, data: dict[str, pa.Table], tmp_path: Path, right: str = "b") -> None:
    assert_one_answer(
        query(kind, on, right),
        oracle(kind, on, right),
        data,
        settings={"watermark.delay": f"{DISORDER_US}us"},
        tmp_path=tmp_path,
        batches=(10**9, None),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SEARCHED)
def test_sorted_arrays_find_what_duckdb_finds(name, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(interval_join, "Queried", _nobody)
    if name not in EVALUATED:
        monkeypatch.setattr(join_pairs, "Rest", _nobody)
    _assert_one_answer(kind, SEARCHED[name], tables(len(name)), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*QUERIED, "a quotient", "strict bounds on one side of zero"])
def test_duckdb_finds_the_same(name, kind, tmp_path, monkeypatch):
    if name in SEARCHED:
        monkeypatch.setattr(interval_join, "band_of", lambda *_: None)
    else:
        monkeypatch.setattr(interval_join, "Banded", _nobody)
    _assert_one_answer(kind, {**SEARCHED, **QUERIED}[name], tables(len(name)), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "on",
    [
        f"a.s = b.s AND a.i <> b.i AND {NEAR}",
        f"a.s = b.s AND a.n <= b.n AND {NEAR}",
        f"a.s = b.s AND a.x - b.f < 1 AND {NEAR}",
        "a.i = b.i AND a.u = b.u AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '4' SECOND",
        f"a.u = b.u AND {AFTER}",
    ],
)
@pytest.mark.parametrize("whole", [True, False], ids=["full columns", "with NULLs"])
def test_a_stream_joined_with_itself(on, kind, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(interval_join, "Queried", _nobody)
    data = {"a": tables(7)["a"]}
    if whole:
        data["a"] = data["a"].filter(
            pa.compute.and_(pa.compute.is_valid(data["a"]["x"]), pa.compute.is_valid(data["a"]["f"]))
        )
    _assert_one_answer(kind, on, data, tmp_path, right="a")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("right", ["a", "b"])
@pytest.mark.parametrize(
    "on",
    [
        f"a.s = b.s AND a.i <> b.i AND {NEAR}",
        f"a.s = b.s AND a.x - b.f < 1 AND b.x <= a.x AND {AFTER}",
        f"a.i = b.i AND {NEAR} AND coalesce(a.s, 'A') >= coalesce(b.s, 'B')",
        f"a.s = b.s AND a.i + 1 = b.i AND {NEAR}",
    ],
)
def test_rows_and_keys_of_no_use_go_at_once(on, right, kind, tmp_path, monkeypatch):
    """What long runs and big ticks do, in every tick."""
    monkeypatch.setattr(join_side, "_FEW", 0)
    monkeypatch.setattr(join_pairs, "_UNUSED_KEYS", -1_000)
    monkeypatch.setattr(join_pairs, "PAIRS_AT_ONCE", 16)
    monkeypatch.setattr(bands, "PAIRS_AT_ONCE", 16)
    monkeypatch.setattr(bands, "_SMALL", 0)
    _assert_one_answer(kind, on, tables(len(on)), tmp_path, right=right)


def test_a_stream_joined_with_itself_is_kept_once():
    data = {"a": tables(3)["a"]}
    sizes = {}
    for right, name in (("a", "itself"), ("(SELECT * FROM a WHERE id >= 0)", "another")):
        engine = JobEngine(plan_of(query("INNER", f"a.s = b.s AND a.i <> b.i AND {NEAR}", right), data))
        engine.tick({"a": [decoded(data["a"], 0, 40)]})
        sizes[name] = next(s.state_rows for s in engine.stats() if s.name == "interval join")
        engine.close()
    assert 0 < sizes["itself"] < sizes["another"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_formula_reads_what_the_other_side_does_not_have(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(interval_join, "Queried", _nobody)
    monkeypatch.setattr(join_pairs, "Rest", _nobody)
    data = tables(5)
    data["b"] = data["b"].rename_columns([{"x": "y", "f": "g"}.get(c, c) for c in data["b"].column_names])
    _assert_one_answer(kind, f"a.s = b.s AND {NEAR} AND b.y - a.x > 0.5", data, tmp_path)


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_at_fault_are_the_same_whether_a_stream_is_kept_once_or_twice(kind, size, monkeypatch):
    """They are tried one side at a time, and from there on the two sides have rows of their own."""
    schema = pa.schema([("id", pa.int64()), ("s", pa.string()), ("ts", pa.timestamp("us"))])
    texts = ["3", "1", "4", "x", "2", "5", "", "4", "9", "7", "8", "6"]
    rows = [{"id": n, "s": text, "ts": BASE_US + n * 700_000} for n, text in enumerate(texts)]
    data = {"a": table(rows, schema)}
    on = f"a.s::INT < b.s::INT AND {NEAR}"
    plan = plan_of(query(kind, on, "a"), data)
    once = stream(plan, data, batch_rows=size, rng=random.Random(size))
    monkeypatch.setattr(join_band.Band, "mirrored", False)
    twice = stream(plan, data, batch_rows=size, rng=random.Random(size))
    assert comparable(once.rows) == comparable(twice.rows)
    assert once.rejected == twice.rejected > 0
    if size == 1:
        clean = {"a": data["a"].filter(pa.array([text.isdigit() for text in texts]))}
        assert comparable(once.rows) == comparable(batch(oracle(kind, on, "a"), clean))


@pytest.mark.parametrize("kind", KINDS)
def test_partitions_interleaved_in_any_way(kind):
    data, rng = tables(11), random.Random(kind)
    sql = query(kind, f"a.s = b.s AND a.x >= b.x AND {NEAR}")
    dealt = partitioned(data, 3, rng)
    truth = oracle(kind, f"a.s = b.s AND a.x >= b.x AND {NEAR}")
    expected = comparable(batch(truth, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
    run = stream_partitions(plan_of(sql, data, {"watermark.delay": f"{DISORDER_US}us"}), dealt, rng)
    assert comparable(run.rows) == expected


def _many(seed: int, count: int, keys: int, span_us: int, schema: pa.Schema = LEFT) -> pa.Table:
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.integers(0, span_us, count)) + BASE_US
    columns = {"id": np.arange(count), "s": np.char.add("k", rng.integers(0, keys, count).astype(str))}
    columns |= {"i": rng.integers(0, 3, count), "u": rng.integers(0, 5, count), "f": rng.random(count)}
    columns |= {"x": rng.random(count), "n": rng.integers(0, 9, count), "ts": ts}
    arrays = [pa.array(columns[f.name]).cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.table(arrays, schema=schema)


@pytest.mark.parametrize("keys", [1, 40, 30_000])
@pytest.mark.parametrize("sizes", [(9_000, 9_000), (300, 20_000)])
def test_many_rows_at_once_and_in_pieces(keys, sizes):
    """Enough for every way of the search, and for several statements of what is left of the condition."""
    within = 400_000 if keys == 1 else 20_000_000
    data = {"a": _many(1, sizes[0], keys, 60_000_000), "b": _many(2, sizes[1], keys, 60_000_000, RIGHT)}
    on = f"a.s = b.s AND abs(epoch_us(a.ts) - epoch_us(b.ts)) < {within} AND a.i + b.i > 1 AND a.x < b.x"
    sql = f"SELECT COUNT(*) AS n, SUM(a.id * b.id)::HUGEINT AS s, MAX(epoch_us(b.ts) - epoch_us(a.ts)) AS m FROM a JOIN b ON {on}"
    (expected,) = batch(sql, data)
    for pieces in (1, 9):
        engine = JobEngine(
            plan_of(f"SELECT a.id, b.id AS other, epoch_us(b.ts) - epoch_us(a.ts) AS apart FROM a JOIN b ON {on}", data)
        )
        found = []
        for n in range(pieces):
            cuts = {t: (r.num_rows * n // pieces, r.num_rows * (n + 1) // pieces) for t, r in data.items()}
            found.append(engine.tick({t: [decoded(data[t], *cut)] for t, cut in cuts.items()}).rows)
        engine.close()
        rows = pa.concat_tables(found)
        ids, others = (rows.column(c).to_numpy().astype(object) for c in ("id", "other"))
        assert rows.num_rows == expected["n"]
        assert (ids * others).sum() == expected["s"]
        assert pa.compute.max(rows.column("apart")).as_py() == expected["m"]


def test_keys_that_never_come_again_are_forgotten():
    """Orders and their fills: every tick has new numbers."""
    engine = JobEngine(
        plan_of(
            "SELECT a.id, b.id AS other FROM a LEFT JOIN b ON a.s = b.s AND a.i <> b.i AND "
            "b.ts BETWEEN a.ts AND a.ts + INTERVAL '1' SECOND",
            {"a": LEFT.empty_table(), "b": RIGHT.empty_table()},
        )
    )
    sizes, found = [], []
    for tick in range(80):
        base = BASE_US + tick * 1_000_000
        orders = [
            {"id": n, "s": f"{tick}-{n}", "i": tick * 500 + n, "ts": base + n * 1_000} for n in range(500)
        ]  # fmt: skip
        fills = [{**order, "i": -1, "ts": order["ts"] + 400_000} for order in orders]
        fills += [{**order, "ts": order["ts"] + 400_000} for order in orders]
        batches = {"a": table(orders, LEFT), "b": table(fills, RIGHT)}
        found += engine.tick({t: [decoded(r, 0, r.num_rows)] for t, r in batches.items()}).rows.to_pylist()
        sizes.append(max(s.state_bytes for s in engine.stats() if s.name == "interval join"))
    engine.close()
    assert len(found) == 80 * 500
    assert all(row["id"] == row["other"] for row in found)
    assert max(sizes[40:]) <= 1.2 * max(sizes[5:40])
