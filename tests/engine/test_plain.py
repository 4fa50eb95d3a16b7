"""SELECT lists without DuckDB: bit for bit what DuckDB gives, or left to it."""

from __future__ import annotations

import itertools
import struct

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import plan_of
from velostream_nb.core.records import POS, TS
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.stateless import Project

NAN, INF = float("nan"), float("inf")
AWKWARD = [0.0, -0.0, 1.5, -3.0, 1e308, 5e-324, NAN, INF, -INF, None]
PAIRS = list(itertools.product(AWKWARD, AWKWARD))
WHOLE = [None, 0, 1, -7, 2**53 + 1, 2**63 - 1]
TABLE = pa.table(
    {
        "x": pa.array([x for x, _ in PAIRS], pa.float64()),
        "y": pa.array([y for _, y in PAIRS], pa.float64()),
        "i": pa.array([WHOLE[n % len(WHOLE)] for n in range(len(PAIRS))], pa.int64()),
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
]
LEFT_TO_DUCKDB = [
    "x % y AS z",
    "i + 1 AS z",
    "ROUND(x, 2) AS z",
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


def bits(column: pa.ChunkedArray) -> list[object]:
    return [struct.pack("d", v) if isinstance(v, float) and v == v else str(v) for v in column.to_pylist()]


@pytest.mark.parametrize("select", PLAIN)
def test_the_same_as_duckdb_to_the_last_bit(select):
    engine, project = project_of(select)
    schema = engine.nodes[0].operator.schema
    plain = Plain.of((project.node,), schema, project.schema)
    assert plain is not None
    hidden = {TS: pa.array(range(len(PAIRS)), pa.int64()), POS: pa.array(range(len(PAIRS)), pa.int64())}
    rows = pa.table([hidden[n] if n in hidden else TABLE.column(n) for n in schema.names], schema=schema)
    for part in (rows, rows.slice(3, 50), rows.slice(0, 0), pa.concat_tables([rows.slice(0, 5), rows.slice(5)])):
        found = plain.rows(part)
        project._feed.rows = part
        expected = project._statement.rows()
        assert found.schema == expected.schema
        assert [bits(c) for c in found.columns] == [bits(c) for c in expected.columns]
    engine.close()


@pytest.mark.parametrize("select", LEFT_TO_DUCKDB)
def test_everything_else_is_left_to_duckdb(select):
    assert not is_plain(select)


def test_a_where_needs_duckdb():
    assert is_plain("x AS y, s")
    assert not is_plain("x AS y, s", "WHERE x > 1")
