"""Every type in every role: what a job answers is what DuckDB answers in batch, after restarts too."""

from __future__ import annotations

import random
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import assert_one_answer, plan_of, stream
from velostream_nb.core.errors import BindError, JobFailedError
from velostream_nb.core.types import arrow_type
from velostream_nb.engine.job import JobEngine

ROWS = 12
VALUES = {
    "DECIMAL(38,18)": [Decimal("0.1"), Decimal("0.3"), Decimal("-12345678901234567890.123456789012345678"), None],
    "HUGEINT": [Decimal(10) ** 30, Decimal(-5), Decimal(7), None],
    "UBIGINT": [2**60, 0, 5, None],
    "DOUBLE": [0.0, -0.0, float("nan"), float("inf"), 1.5, None],
    "FLOAT": [0.0, -0.0, float("nan"), 1.5, None],
    "BOOLEAN": [True, False, None],
    "VARCHAR": ["a", "", "é😀", None, "a\x00b"],
    "TIMESTAMP": [0, 1, 10**15, None],
    "TIMESTAMPTZ": [0, 1, 10**15, None],
    "DATE": [0, 19_000, None],
    "TIME": [0, 1, 86_399_999_999, None],
    "INTERVAL": [(1, 0, 0), (0, 30, 0), (0, 0, 1_000), (0, 29, 86_400 * 10**9), None],
    "INTEGER[]": [[1], [1, None], [], None, [2, 1]],
    "VARCHAR[][]": [[["a"], []], [["a"], None], None],
    "STRUCT(a INTEGER, b VARCHAR[])": [{"a": 1, "b": ["x"]}, {"a": None, "b": None}, None, {"a": 2, "b": []}],
    "MAP(VARCHAR, INTEGER)": [[("a", 1)], [("a", None)], [], None, [("b", 2), ("a", 1)]],
    "BLOB": [b"", b"\xff", b"a", None],
    "INTEGER[2]": [[1, 2], [1, None], None],
}
BY_TIME = "ORDER BY __ts, __pos"
ROLES = {
    "a column": ("SELECT k, x, timestamp FROM s WHERE x IS DISTINCT FROM NULL", None),
    "a group key": ("SELECT x, COUNT(*) AS c, SUM(n) AS m FROM s GROUP BY x", None),
    "a key of windows": (
        "SELECT x, window_end, COUNT(*) AS c FROM s GROUP BY x, TUMBLE(timestamp, INTERVAL 10 SECOND)",
        "SELECT x, make_timestamp((__ts // 10000000 + 1) * 10000000) AS window_end, COUNT(*) AS c FROM s GROUP BY ALL",
    ),
    "an argument of aggregates": (
        "SELECT k, MIN(x) AS a, MAX(x) AS b, COUNT(DISTINCT x) AS c, COUNT(x) AS d, ARG_MAX(x, n) AS e, "
        "LIST(x ORDER BY n) AS f FROM s GROUP BY k",
        None,
    ),
    "a partition key": (
        "SELECT n, SUM(n) OVER (PARTITION BY x ORDER BY timestamp ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS v, "
        "SUM(n) OVER (PARTITION BY x ORDER BY timestamp ROWS UNBOUNDED PRECEDING) AS w FROM s",
        f"SELECT n, SUM(n) OVER (PARTITION BY x {BY_TIME} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS v, "
        f"SUM(n) OVER (PARTITION BY x {BY_TIME} ROWS UNBOUNDED PRECEDING) AS w FROM s",
    ),
    "an argument of window functions": (
        "SELECT n, LAG(x) OVER (PARTITION BY k ORDER BY timestamp) AS l, MAX(x) OVER (PARTITION BY k ORDER BY timestamp "
        "ROWS UNBOUNDED PRECEDING) AS m FROM s",
        f"SELECT n, LAG(x) OVER (PARTITION BY k {BY_TIME}) AS l, MAX(x) OVER (PARTITION BY k {BY_TIME} "
        "ROWS UNBOUNDED PRECEDING) AS m FROM s",
    ),
    "a join key": (
        "SELECT a.n, b.n AS m, a.x FROM s a JOIN s b ON a.x = b.x "
        "AND b.timestamp BETWEEN a.timestamp - INTERVAL 3 SECOND AND a.timestamp",
        None,
    ),
    "distinct": ("SELECT DISTINCT x FROM s", None),
    "a key of the newest row": (
        "SELECT x, n FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY x ORDER BY timestamp DESC) = 1",
        "SELECT x, n FROM s QUALIFY ROW_NUMBER() OVER (PARTITION BY x ORDER BY __ts DESC, __pos DESC) = 1",
    ),
}  # fmt: skip


def rows_of(dtype: str, values: list[object], rows: int = ROWS) -> dict[str, pa.Table]:
    rng = random.Random(dtype)
    columns = {
        "k": pa.array([rng.choice("ab") for _ in range(rows)]),
        "n": pa.array(range(rows), pa.int64()),
        "x": pa.array([rng.choice(values) for _ in range(rows)], arrow_type(dtype)),
        "timestamp": pa.array([BASE_US + n * 1_300_000 for n in range(rows)], pa.timestamp("us")),
    }
    return {"s": pa.table(columns)}


SIMPLE = ("FLOAT", "BOOLEAN", "VARCHAR", "TIMESTAMP", "DATE", "INTEGER[]")
"""Types that others stand for in most roles."""
PAIRS = [(t, r) for t in VALUES for r in ROLES if t not in SIMPLE or r in ("a column", "a group key", "a join key")]


@pytest.mark.parametrize(("dtype", "role"), PAIRS, ids=[" as ".join(pair) for pair in PAIRS])
def test_a_type_in_a_role(dtype, role, tmp_path):
    query, oracle = ROLES[role]
    assert_one_answer(query, oracle or query, rows_of(dtype, VALUES[dtype]), batches=(), tmp_path=tmp_path)


@pytest.mark.parametrize("dtype", ["DECIMAL(38,18)", "HUGEINT", "DOUBLE", "FLOAT", "UBIGINT"])
def test_sums_and_averages(dtype, tmp_path):
    query = "SELECT k, SUM(x) AS a, AVG(x) AS b, SUM(x * 2) AS c FROM s GROUP BY k"
    values = [v for v in VALUES[dtype] if not isinstance(v, float) or v == v]
    values = [5, 0, None] if dtype == "UBIGINT" else values
    assert_one_answer(query, query, rows_of(dtype, values), batches=(3, 1_000), tmp_path=tmp_path)


def types_of(query: str, tables: dict[str, pa.Table]) -> list[pa.DataType]:
    engine = JobEngine(plan_of(query, tables))
    engine.close()
    return list(engine.output_schema.types)


def test_sums_of_integers_are_shown_as_bigint_unless_the_job_is_about_hugeints():
    small, huge = rows_of("BIGINT", [1, 2]), rows_of("HUGEINT", VALUES["HUGEINT"])
    hugeint = pa.decimal128(38, 0)
    assert types_of("SELECT SUM(x) AS s FROM s GROUP BY k", small) == [pa.int64()]
    assert types_of("SELECT SUM(n) AS s FROM s GROUP BY k", huge) == [pa.int64()]
    assert types_of("SELECT SUM(x) AS s FROM s GROUP BY k", huge) == [hugeint]
    assert types_of("SELECT SUM(x)::HUGEINT AS s FROM s GROUP BY k", small) == [hugeint]
    assert types_of("SELECT x FROM s", huge) == [hugeint]


def test_a_sum_that_needs_more_than_bigint_fails_and_says_what_to_write():
    tables = rows_of("BIGINT", [2**62])
    with pytest.raises(JobFailedError, match=r"CAST\(s AS HUGEINT\)"):
        stream(plan_of("SELECT SUM(x) AS s FROM s GROUP BY k", tables), tables, batch_rows=9, rng=random.Random(0))
    query = "SELECT k, SUM(x)::HUGEINT AS s FROM s GROUP BY k"
    assert_one_answer(query, query, tables, batches=(3,))


def test_a_type_that_no_record_can_carry_is_refused_before_the_job_starts():
    with pytest.raises(BindError, match="column u is a sparse_union"):
        types_of("SELECT union_value(num := n) AS u FROM s", rows_of("BIGINT", [1]))
