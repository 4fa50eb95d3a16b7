"""Arithmetic of join conditions: bit for bit DuckDB's on every pair of awkward doubles, or left to DuckDB."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
import sqlglot

from velostream_nb.engine.duck import Duck
from velostream_nb.engine.formulas import doubles_of, holds, is_exact
from velostream_nb.sql.formulas import formula_of

NAN, INF = float("nan"), float("inf")
AWKWARD = [0.0, -0.0, 1.0, -1.0, 1.5, 10.0, 0.1, 3.0, 1e308, -1e308, 5e-324, 2.0**53, NAN, INF, -INF]
SCHEMA = pa.schema(
    [("x", pa.float64()), ("y", pa.float64()), ("i", pa.int64()), ("j", pa.int64()), ("f", pa.float32()),
     ("d", pa.decimal128(9, 2)), ("s", pa.string())],
)  # fmt: skip
NAMES = {f"a.{n}": n for n in SCHEMA.names}, {f"b.{n}": n for n in SCHEMA.names}

EXACT = [
    "{a}.x {op} {b}.x + 0",
    "{a}.x + {b}.y {op} {b}.x - {a}.y",
    "{a}.x * {b}.x {op} 1e300",
    "({b}.x - {a}.x) / {a}.x * 1e4 {op} 10",
    "abs({a}.x - {b}.x) {op} 0.1",
    "-{a}.x {op} -({b}.x)",
    "{a}.x * {b}.i {op} {a}.i + {b}.x",
    "{a}.f + {b}.x {op} {b}.j",
    "{a}.x / {b}.x {op} {b}.x / {a}.x",
    "0.30 * {a}.x {op} 3 / {b}.x",
    "{a}.x {op} -1.5",
]
LEFT_TO_DUCKDB = [
    "{a}.i + {b}.i {op} 3",
    "{a}.i {op} {b}.j",
    "{a}.x + {a}.i * {b}.i {op} 0",
    "{a}.f + {b}.f {op} {a}.x",
    "{a}.d * {b}.x {op} 1",
    "{a}.x + 1 / 3 {op} {b}.x",
    "{a}.x * 12345678901234567890 {op} {b}.x",
    "round({a}.x) {op} {b}.x",
    "{a}.x % {b}.x {op} 1",
    "{a}.x // {b}.x {op} 1",
    "coalesce({a}.x, 0) {op} {b}.x",
]
SIGNS = ["<", "<=", ">", ">="]


def _sql(text: str, sign: str) -> str:
    """With columns under the names of a join's output."""
    found = text.format(a="@a", b="@b", op=sign)
    for side, name in itertools.product("ab", SCHEMA.names):
        found = found.replace(f"@{side}.{name}", f'"{side}.{name}"')
    return found


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("text", EXACT)
def test_the_same_as_duckdb(text, sign):
    sql = _sql(text, sign)
    formula = formula_of(sqlglot.parse_one(sql, dialect="duckdb"), NAMES)
    assert formula is not None
    assert is_exact(formula, (SCHEMA, SCHEMA))
    every = list(itertools.product(AWKWARD, AWKWARD))
    one, other = (pa.array([pair[side] for pair in every]) for side in (0, 1))
    whole = pa.array((np.arange(len(every)) * 7_919) % 11 - 5)
    values = {"x": one, "y": other, "i": whole, "j": whole, "f": one.cast(pa.float32())}
    turned = {**values, "x": other, "y": one}
    columns = {f"{side}.{n}": array for side, own in (("a", values), ("b", turned)) for n, array in own.items()}
    duck = Duck()
    feed = duck.feed(pa.schema([(name, array.type) for name, array in columns.items()]))
    feed.rows = pa.table(columns)
    expected = duck.evaluate(f"SELECT {sql} AS passes FROM {feed.name}").column("passes").to_pylist()
    duck.close()
    given = {v: doubles_of(pa.chunked_array([columns[f"{'ab'[v.side]}.{v.column}"]])) for v in formula.values()}
    assert holds(formula, given).tolist() == expected


@pytest.mark.parametrize("text", LEFT_TO_DUCKDB)
def test_what_has_rules_of_its_own_is_left_to_duckdb(text):
    formula = formula_of(sqlglot.parse_one(_sql(text, "<"), dialect="duckdb"), NAMES)
    assert formula is None or not is_exact(formula, (SCHEMA, SCHEMA))
