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
from velostream_nb.core.types import HUGEINT
from velostream_nb.engine import arithmetic, parts
from velostream_nb.engine.doubles import rounded
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.reading import Reading
from velostream_nb.engine.shortcut import Shortcut
from velostream_nb.engine.stateless import Project

NAN, INF = float("nan"), float("inf")
AWKWARD = [0.0, -0.0, 1.5, -3.0, 1e308, 5e-324, NAN, INF, -INF, None]
_HALVES = [np.arange(-2_000, 2_000) / 2 / 10**n for n in range(6)]
PAIRS = list(itertools.product(AWKWARD, AWKWARD))
WHOLE = [None, 0, 1, -7, 2**53 + 1, 2**63 - 1]
HUGE = [None, 0, 1, -7, 10_000, 2**40, -(2**50)]
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
        "h": pa.array([HUGE[n % len(HUGE)] for n in range(len(PAIRS))], HUGEINT),
        "g": pa.array([HUGE[n // 3 % len(HUGE)] for n in range(len(PAIRS))], HUGEINT),
        "small": pa.array([n % 9 - 4 for n in range(len(PAIRS))], pa.int16()),
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
    "ROUND(COALESCE(h, 0) / g, 4) AS ratio",
    "GREATEST(h, 3) AS z, LEAST(h, small) AS l, COALESCE(i, 0) AS c, GREATEST(h, 0.5) AS half",
    "h + 1 AS z, ABS(h - g) AS d, -h AS n, h * 0.7 AS part, h + g * 1.25 AS sum",
    "small * 2 AS z, small - 1 AS m, small / 3 AS third, small + h AS wide",
    "d * x AS z, d * 0.5 AS half, d + d AS twice, COALESCE(d, 0) AS c, d + h AS sum",
    "h * x AS z, h / 7 AS q, h / 0.3 AS r",
    "CASE WHEN h > 0.7 * g THEN 'more' WHEN COALESCE(h, 0) <= g - 1 THEN 'less' ELSE 'same' END AS word",
    "CASE WHEN x > 1 THEN 'high' WHEN x < -1 AND s IS NOT NULL THEN 'low' END AS word",
    "CASE WHEN i > 0 OR x < 0.5 THEN 'some' ELSE 'none' END AS word",
]
LEFT_TO_DUCKDB = [
    "x % y AS z",
    "ROUND(i, 2) AS z",
    "ROUND(x) AS z",
    "ROUND(x, -2) AS z",
    "GREATEST(x, y) AS z",
    "LEAST(i, x) AS z",
    "CASE WHEN x > 1 THEN s ELSE 'low' END AS z",
    "CASE WHEN x % 2 > 1 THEN 'odd' ELSE 'even' END AS z",
    "CASE i WHEN 1 THEN 'one' END AS z",
    "f + f AS z",
    "f * h AS z",
    "COALESCE(f, h) AS z",
    "i // 2 AS z",
    "i % 2 AS z",
    "h + 1 / 3 AS z",
    "COALESCE(1, h) AS z",
    "ROUND(h, 2) AS z",
    "h * h * h * h * h * h * h * h * h * h * h AS z",
    "h + 99999999999999999999 AS z",
    "-(small) % 3 AS z",
    "x > y AS z",
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
        found = plain.rows(Reading(part))
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
    monkeypatch.setattr(arithmetic, "rounded", lambda numbers, unit: np.rint(numbers * unit) / unit)
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


def shortcut_of(engine: JobEngine, project: Project) -> Shortcut:
    return Shortcut((project.node,), engine.nodes[0].operator.schema, project.schema, project._evaluated)


def with_h(rows: pa.Table, number: int) -> pa.Table:
    """The rows, of which one has another value of h."""
    place = rows.schema.get_field_index("h")
    numbers = [number, *rows.column("h").to_pylist()[1:]]
    return rows.set_column(place, rows.schema.field(place), pa.array(numbers, HUGEINT))


@pytest.mark.parametrize("where", ["", "WHERE g > 0.1 * h OR COALESCE(h, 0) <= 5", "WHERE h >= 1"])
@pytest.mark.parametrize("far", [2**53 + 1, 2**62, -(2**63), 2**64 + 1, -(10**30)])
def test_a_batch_with_a_number_out_of_reach_is_duckdbs_and_the_next_one_is_not(where, far):
    engine, project = project_of("ROUND(COALESCE(h, 0) / g, 4) AS ratio, h + 1 AS more", where)
    shortcut = shortcut_of(engine, project)
    rows = of_source(engine)
    for batch, plain in ((rows, True), (with_h(rows, far), where == "WHERE h >= 1" and far < 0), (rows, True)):
        answer, done = shortcut.taken(batch)
        assert done is plain
        expected = project._evaluated(batch)
        answer = answer if done else project._evaluated(answer)
        assert answer.schema == expected.schema
        assert [bits(c) for c in answer.columns] == [bits(c) for c in expected.columns]
    engine.close()


def test_what_duckdb_cannot_compute_fails_as_it_does_there():
    engine, project = project_of("small * 3 AS z")
    shortcut = shortcut_of(engine, project)
    rows = of_source(engine)
    assert shortcut.taken(rows)[1] is True
    place = rows.schema.get_field_index("small")
    far = rows.set_column(place, rows.schema.field(place), pa.array([30_000] * len(rows), pa.int16()))
    assert shortcut.taken(far) == (far, False)
    with pytest.raises(EvaluationError):
        project._evaluated(far)
    engine.close()


def test_a_condition_that_differs_from_this_duckdb_is_left_to_it(monkeypatch):
    where = "WHERE g > 0.1 * h AND length(s) < 5"
    engine, project = project_of("upper(s) AS z", where)
    few = of_source(engine).filter(pa.array([h is None for h in TABLE.column("h").to_pylist()]))
    assert shortcut_of(engine, project).taken(few)[0].num_rows == 0
    monkeypatch.setitem(parts.COMPARISONS, ">", np.less)
    assert shortcut_of(engine, project).taken(few) == (few, False)
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
    with np.errstate(all="ignore"):
        found = rounded(numbers, 10.0**digits)
    same = (found.view(np.int64) == expected.view(np.int64)) | (np.isnan(found) & np.isnan(expected))
    assert same.all()
