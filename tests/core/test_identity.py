"""Equal by `identity` is equal by DuckDB's GROUP BY, for every type that a key can have."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.core.identity import combined, identity

STRUCT = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])
COLUMNS = {
    "floats": pa.array([0.0, -0.0, math.nan, -math.nan, 1.5, None, math.inf]),
    "narrow floats": pa.array([0.0, -0.0, math.nan, 1.5, None], pa.float32()),
    "texts": pa.array(["a", "", None, "a", "é"]),
    "decimals": pa.array([Decimal("1.10"), Decimal("1.1"), None], pa.decimal128(10, 2)),
    "bytes": pa.array([b"\xff", b"", b"\xff", None]),
    "booleans": pa.array([True, False, None, True]),
    "zoned times": pa.array([1, 1, None], pa.timestamp("us", tz="UTC")),
    "enum": pa.array(["x", None, "x", "y"]).dictionary_encode(),
    "intervals": pa.array(
        [(1, 0, 0), (0, 30, 0), (0, 0, 30 * 86_400 * 10**9), (0, 29, 86_400 * 10**9), (-1, 0, 0), (0, -30, 0),
         (0, 0, -1_000), None, (0, 1, 0), (0, 0, 86_400 * 10**9), (1, -30, 0), (0, 0, 0), (0, 45, 0), (1, 15, 0)],
        pa.month_day_nano_interval(),
    ),
    "lists": pa.array([[1], [1, None], [1], None, [], [None], [1, None]]),
    "lists of floats": pa.array([[0.0], [-0.0], [math.nan], [math.nan], None]),
    "lists of lists": pa.array([[[1], []], [[1], None], [[1], []], [[], [1]]]),
    "fixed lists": pa.array([[1, 2], [1, 2], None, [2, 1]], pa.list_(pa.int64(), 2)),
    "structs": pa.array([{"a": 1, "b": ["x"]}, {"a": 1, "b": ["x"]}, {"a": None, "b": None}, None], STRUCT),
    "maps": pa.array(
        [[("a", 1)], [("a", 1)], [("a", None)], [], None, [("b", 2), ("a", 1)], [("a", 1), ("b", 2)]],
        pa.map_(pa.string(), pa.int64()),
    ),
}  # fmt: skip


def groups(codes: np.ndarray) -> set[frozenset[int]]:
    """Row numbers that have one code."""
    return {frozenset(np.flatnonzero(codes == code).tolist()) for code in np.unique(codes)}


def duckdb_groups(column: pa.Array | pa.ChunkedArray) -> set[frozenset[int]]:
    rows = pa.table({"x": column, "n": range(len(column))})
    with duckdb.connect() as con:
        con.register("rows", rows)
        return {frozenset(r[0]) for r in con.execute("SELECT list(n) FROM rows GROUP BY x").fetchall()}


@pytest.mark.parametrize("name", COLUMNS)
def test_values_are_equal_where_duckdb_says_so(name):
    column = COLUMNS[name]
    codes, size = identity(column)
    assert groups(codes) == duckdb_groups(column)
    assert codes.min() >= 0
    assert codes.max() < size


@pytest.mark.parametrize("name", COLUMNS)
def test_slices_and_chunks_make_no_difference(name):
    column = COLUMNS[name]
    sliced = column.slice(1, len(column) - 2)
    assert groups(identity(sliced)[0]) == duckdb_groups(sliced)
    chunked = pa.chunked_array([column, sliced, column.slice(2)])
    assert groups(identity(chunked)[0]) == duckdb_groups(chunked)


@pytest.mark.parametrize("name", COLUMNS)
def test_no_rows_have_no_codes(name):
    assert len(identity(COLUMNS[name].slice(0, 0))[0]) == 0
    assert len(identity(pa.chunked_array([], COLUMNS[name].type))[0]) == 0


def test_several_columns_are_equal_where_all_of_them_are():
    left, right = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0])
    assert groups(combined([(left, 2), (right, 2)], 4)[0]) == {frozenset({0}), frozenset({1}), frozenset({2, 3})}


def test_many_wide_columns_do_not_overflow():
    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 2, 50).astype(np.int64), 1 << 40) for _ in range(6)]
    codes, _ = combined(parts, 50)
    tuples = list(zip(*(part.tolist() for part, _ in parts), strict=True))
    assert all((codes[a] == codes[b]) == (tuples[a] == tuples[b]) for a, b in itertools.combinations(range(50), 2))
