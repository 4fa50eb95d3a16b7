"""SELECT lists without DuckDB: bit for bit what DuckDB gives, or left to it."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import plan_of
from velostream_nb.core.records import POS, TS
from velostream_nb.engine import formulas
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.engine.frames import Values
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.shortcut import Shortcut
from velostream_nb.engine.stateless import Project
from velostream_nb.sql.formulas import Formula, Value

NAN, INF = float("nan"), float("inf")
AWKWARD = [0.0, -0.0, 1.5, -3.0, 1e308, 5e-324, NAN, INF, -INF, None]
_HALVES = [np.arange(-2_000, 2_000) / 2 / 10**n for n in range(6)]
PAIRS = list(itertools.product(AWKWARD, AWKWARD))
WHOLE = [None, 0, 1, -7, 2**53 + 1, 2**63 - 1]
TABLE = pa.table(
    {
        "x": pa.array([x for x, _ in PAIRS], pa.float64()),
        "y": pa.array([y for _, y in PAIRS], pa.float64()),
        "i": pa.array([WHOLE[n % len(WHOLE)] for n in range(len(PAIRS))], pa.int64()),
        "j": pa.array([WHOLE[n // 3 % len(WHOLE)] for n in range(len(PAIRS))], pa.int64()),
        "late": pa.array([None if n % 5 == 0 else BASE_US - n % 4 for n in range(len(PAIRS))], pa.timestamp("us")),
        "f": pa.array([x for _, x in PAIRS], pa.float32()),
        "s": pa.array([None if n % 7 == 0 else f"s{n}" for n in range(len(PAIRS))], pa.string()),
        "d": pa.array(list(range(len(PAIRS))), pa.decimal128(9, 2)),
        "ts": pa.array([BASE_US + n for n in range(len(PAIRS))], pa.timestamp("us")),
    }
)
PLAIN = [
    "x, s, ts AS at",
    "s AS again, x AS s",
    "x + y AS z",
    "x * i AS z, -x AS n, ABS(y - x) AS a",
    "x / y AS z, i / x AS q, f / x AS r",
    "COALESCE(x, 0) - COALESCE(y, 0) AS z",
    "COALESCE(x, y, i) AS z",
    "COALESCE(x * y, i, 1.5e0) AS z",
    "COALESCE(x, y) AS z",
    "(x + 1) * 3 - 0.5 AS z",
    "ROUND(x, 2) AS z, ROUND(x / y * 100, 1) AS r, ROUND(x + 1, 0) AS w",
    "LEAST(i, j) AS l, GREATEST(i, j) AS g, GREATEST(j, i, j) AS h",
    "GREATEST(ts, late) AS at, LEAST(late, ts) AS first",
    "LEAST(i, j) AS most, x * most AS z, ROUND(x - y, 3) AS r, r / 2 AS half",
    "CASE WHEN x > 1 THEN 'high' WHEN x < -1 AND s IS NOT NULL THEN 'low' END AS word",
    "CASE WHEN i > 0 OR x < 0.5 THEN 'some' ELSE 'none' END AS word",
]
LEFT_TO_DUCKDB = [
    "x % y AS z",
    "i + 1 AS z",
    "ROUND(i, 2) AS z",
    "ROUND(x) AS z",
    "ROUND(x, -2) AS z",
    "GREATEST(x, y) AS z",
    "GREATEST(i, 3) AS z",
    "LEAST(i, x) AS z",
    "CASE WHEN x > 1 THEN s ELSE 'low' END AS z",
    "CASE WHEN x % 2 > 1 THEN 'odd' ELSE 'even' END AS z",
    "CASE i WHEN 1 THEN 'one' END AS z",
    "f + f AS z",
    "d * x AS z",
    "x > y AS z",
    "COALESCE(i, 0) AS z",
    "COALESCE(s, 'none') AS z",
    "upper(s) AS z",
    "1 AS z",
    "x, CASE WHEN x > 1 THEN 1.0 ELSE x END AS z",
]


def project_of(select: str, where: str = "") -> tuple[JobEngine, Project]:
    engine = JobEngine(plan_of(f"SELECT {select} FROM t {where}", {"t": TABLE}))
    (project,) = [node.operator for node in engine.nodes if isinstance(node.operator, Project)]
    return engine, project


def is_plain(select: str, where: str = "") -> bool:
    engine, project = project_of(select, where)
    try:
        return Plain.of((project.node,), engine.nodes[0].operator.schema, project.schema) is not None
    finally:
        engine.close()


def of_source(engine: JobEngine) -> pa.Table:
    schema = engine.nodes[0].operator.schema
    hidden = {TS: pa.array(range(len(PAIRS)), pa.int64()), POS: pa.array(range(len(PAIRS)), pa.int64())}
    return pa.table([hidden[n] if n in hidden else TABLE.column(n) for n in schema.names], schema=schema)


def bits(column: pa.ChunkedArray) -> list[object]:
    return [struct.pack("d", v) if isinstance(v, float) and v == v else str(v) for v in column.to_pylist()]


@pytest.mark.parametrize("select", PLAIN)
def test_the_same_as_duckdb_to_the_last_bit(select):
    engine, project = project_of(select)
    plain = Plain.of((project.node,), engine.nodes[0].operator.schema, project.schema)
    assert plain is not None
    rows = of_source(engine)
    for part in (rows, rows.slice(3, 50), rows.slice(0, 0), pa.concat_tables([rows.slice(0, 5), rows.slice(5)])):
        found = plain.rows(part)
        expected = project._evaluated(part)
        assert found.schema == expected.schema
        assert [bits(c) for c in found.columns] == [bits(c) for c in expected.columns]
    engine.close()


@pytest.mark.parametrize("select", LEFT_TO_DUCKDB)
def test_everything_else_is_left_to_duckdb(select):
    assert not is_plain(select)


@pytest.mark.parametrize(
    ("where", "expected"),
    [("", True), ("WHERE x > 1", True), ("WHERE x > 1 AND s LIKE 's%'", False), ("WHERE i % 2 = 0", False)],
)
def test_a_condition_must_be_told_exactly(where, expected):
    engine, project = project_of("ROUND(x, 2) AS z", where)
    shortcut = Shortcut((project.node,), engine.nodes[0].operator.schema, project.schema, project._evaluated)
    rows = of_source(engine)
    found, done = shortcut.taken(rows)
    assert done is expected
    answer = found if done else project._evaluated(found)
    assert [bits(c) for c in answer.columns] == [bits(c) for c in project._evaluated(rows).columns]
    engine.close()


def test_what_differs_from_this_duckdb_is_left_to_it(monkeypatch):
    monkeypatch.setattr(formulas, "_rounded", lambda numbers, digits: np.round(numbers, digits))
    engine, project = project_of("ROUND(x, 2) AS z")
    assert Plain.of((project.node,), engine.nodes[0].operator.schema, project.schema) is not None
    shortcut = Shortcut((project.node,), engine.nodes[0].operator.schema, project.schema, project._evaluated)
    rows = of_source(engine)
    assert shortcut.taken(rows) == (rows, False)
    engine.close()


def test_what_fails_in_duckdb_is_left_to_it():
    engine, project = project_of("x AS z")

    def fails(_rows: pa.Table) -> pa.Table:
        raise EvaluationError("out of range")

    shortcut = Shortcut((project.node,), engine.nodes[0].operator.schema, project.schema, fails)
    assert shortcut.taken(of_source(engine))[1] is False
    engine.close()


@pytest.mark.parametrize("digits", range(16))
def test_rounding_is_duckdbs_for_any_double(digits):
    rng = np.random.default_rng(digits)
    doubles = [rng.normal(size=20_000) * 1e4, rng.integers(-(10**9), 10**9, 20_000) / 1000, *_HALVES]
    anything = np.frombuffer(rng.bytes(8 * 20_000))
    numbers = np.concatenate([*doubles, anything])
    duck = Duck()
    feed = duck.feed(pa.schema([("x", pa.float64())]))
    feed.rows = pa.table({"x": numbers})
    expected = duck.evaluate(f"SELECT ROUND(x, {digits}) AS y FROM {feed.name}").column("y").to_numpy()
    duck.close()
    formula = Formula("round", (Value(0, "x"), float(digits)))
    found = formulas.computed(formula, {Value(0, "x"): Values(numbers)}, len(numbers)).numbers
    same = (found.view(np.int64) == expected.view(np.int64)) | (np.isnan(found) & np.isnan(expected))
    assert same.all()
