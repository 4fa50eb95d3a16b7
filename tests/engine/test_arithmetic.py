"""Arithmetic over whole numbers, decimals and doubles: DuckDB's answer to the last bit, or none at all."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
import sqlglot

from velostream_nb.core.errors import BindError
from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.arithmetic import Computation, computation
from velostream_nb.engine.arrays import array_of
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Values, Wide
from velostream_nb.engine.reading import OutOfReachError, Reading
from velostream_nb.engine.trial import same
from velostream_nb.sql.conditions import condition_of
from velostream_nb.sql.expressions import expressions_of
from velostream_nb.sql.formulas import Formula

TYPES = {
    "i8": pa.int8(), "i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64(), "j64": pa.int64(),
    "u8": pa.uint8(), "u16": pa.uint16(), "u32": pa.uint32(), "u64": pa.uint64(), "h": HUGEINT, "g": HUGEINT,
    "d": pa.decimal128(9, 2), "e": pa.decimal128(18, 3), "d0": pa.decimal128(4, 0), "x": pa.float64(), "f": pa.float32(),
}  # fmt: skip
SCHEMA = pa.schema(TYPES.items())
LITERALS = ["0", "1", "2", "3", "100", "127", "200", "40000", "3000000000", "0.7", "0.25", "1.50", "1e3", "-1", "-0.5"]
ROWS = 97


def bounds(dtype: pa.DataType) -> tuple[int, int]:
    if dtype == HUGEINT:
        return -(2**127), 2**127 - 1
    if pa.types.is_decimal(dtype):
        return 1 - 10**dtype.precision, 10**dtype.precision - 1
    limits = np.iinfo(dtype.to_pandas_dtype())
    return int(limits.min), int(limits.max)


def column(rng: random.Random, dtype: pa.DataType, bits: int) -> pa.Array:
    """Values up to 2^bits from 0, some of them NULL; zeros, small ones and the greatest ones among them."""
    missing = np.array([rng.random() < 0.1 for _ in range(ROWS)])
    if pa.types.is_floating(dtype):
        awkward = [0.0, -0.0, 1.5, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]
        doubles = [rng.choice([*awkward, rng.gauss(0, 100), rng.gauss(0, 1e9)]) for _ in range(ROWS)]
        return pa.array(doubles, pa.float64(), mask=missing).cast(dtype)
    low, high = bounds(dtype)
    low, high = max(low, -(2**bits)), min(high, 2**bits)
    edges = [low, high, 0, rng.randint(max(low, -9), min(high, 9))]
    return of_wholes([rng.choice([*edges, rng.randint(low, high)]) for _ in range(ROWS)], ~missing, dtype)


def of_wholes(wholes: list[int], valid: np.ndarray, dtype: pa.DataType) -> pa.Array:
    if not pa.types.is_decimal(dtype):
        return pa.array(wholes, dtype, mask=~valid)
    low = np.array([whole & 2**64 - 1 for whole in wholes], np.uint64)
    return Wide(np.array([whole >> 64 for whole in wholes], np.int64), low, valid).array(dtype)


def expression(rng: random.Random, depth: int) -> str:
    if not depth or rng.random() < 0.15:
        return rng.choice(LITERALS) if rng.random() < 0.3 else f'"{rng.choice(list(TYPES))}"'
    one, other = expression(rng, depth - 1), expression(rng, depth - 1)
    shapes = ["{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "-{0}", "ABS({0})", "COALESCE({0}, {1})",
              "LEAST({0}, {1})", "GREATEST({0}, {1})", "ROUND({0}, 2)", "COALESCE({0}, {1}, 0)"]  # fmt: skip
    return rng.choice(shapes).format(f"({one})", f"({other})")


def canonical(sql: str) -> str:
    return sqlglot.parse_one(sql, dialect="duckdb").sql(dialect="duckdb")


@pytest.fixture(scope="module")
def feed():
    duck = Duck()
    feed = duck.feed(SCHEMA)
    yield duck, feed
    duck.close()


def made_of(sql: str, duck: Duck, relation: str) -> tuple[Computation, pa.DataType] | None:
    known = expressions_of([(sql, "z")], SCHEMA.names)
    if known is None or not isinstance(known["z"], Formula):
        return None
    try:
        dtype = duck.schema_of(f"SELECT {sql} AS z FROM {relation}").field("z").type
    except BindError:
        return None
    made = computation(known["z"], SCHEMA, dtype)
    return None if made is None else (made, dtype)


def computed(made: Computation, dtype: pa.DataType, rows: pa.Table) -> pa.Table | None:
    with np.errstate(all="ignore"):
        try:
            numbers, valid = made.evaluate(Reading(rows))
        except OutOfReachError:
            return None
    return pa.table({"z": array_of(Values(numbers, valid), dtype)})


def drawn(rng: random.Random, bits: int) -> pa.Table:
    return pa.Table.from_arrays([column(rng, field.type, bits) for field in SCHEMA], schema=SCHEMA)


@pytest.mark.parametrize("seed", range(10))
def test_random_expressions_are_duckdbs_to_the_last_bit(feed, seed):
    duck, relation = feed
    rng = random.Random(seed)
    tables = [drawn(rng, bits) for bits in (6, 12, 20, 31, 45, 53, 62, 64, 127)]
    here = 0
    for _ in range(40):
        sql = canonical(expression(rng, rng.choice([1, 2, 2, 3])))
        found = made_of(sql, duck, relation.name)
        for relation.rows in tables if found is not None else ():
            answer = computed(*found, relation.rows)
            if answer is not None:
                here += 1
                assert same(answer, duck.evaluate(f"SELECT {sql} AS z FROM {relation.name}")), sql
    assert here > 20


@pytest.mark.parametrize("seed", range(10))
def test_random_comparisons_are_true_for_the_same_rows(feed, seed):
    duck, relation = feed
    rng = random.Random(1_000 + seed)
    tables = [drawn(rng, bits) for bits in (6, 12, 20, 31, 45, 53, 62, 64, 127)]
    here = 0
    for _ in range(40):
        one, other = (expression(rng, rng.choice([0, 1, 2])) for _ in range(2))
        sql = canonical(f"({one}) {rng.choice(['<', '<=', '>', '>='])} ({other})")
        check = Check.of(condition_of(sql, {name: name for name in SCHEMA.names}), SCHEMA, tried=True)
        for relation.rows in tables if check is not None else ():
            try:
                passes = check.passes(relation.rows)
            except OutOfReachError:
                continue
            here += 1
            expected = duck.evaluate(f"SELECT ({sql}) IS TRUE AS z FROM {relation.name}").column("z").to_pylist()
            assert passes.tolist() == expected, sql
    assert here > 20


@pytest.mark.parametrize(
    ("sql", "ours"),
    [
        ('"h" * 0.00000000001 * 0.00000000001 / "g"', True),
        ('"i8" * 0.00000000000001 * 0.0000001 * "x"', True),
        ('"h" * 0.00000000000001 * 0.00000000000001 / "g"', False),
        ('"i8" * 0.00000000000001 * 0.00000000000001 * "x"', False),
    ],
)
def test_decimals_of_many_places_are_duckdbs_or_the_same(feed, sql, ours):
    duck, relation = feed
    sql = canonical(sql)
    found = made_of(sql, duck, relation.name)
    assert (found is not None) is ours
    rng = random.Random(0)
    for bits in (6, 12, 20, 31) if found is not None else ():
        relation.rows = drawn(rng, bits)
        answer = computed(*found, relation.rows)
        assert answer is not None
        assert same(answer, duck.evaluate(f"SELECT {sql} AS z FROM {relation.name}"))


def test_decimals_whose_common_type_has_fewer_places_are_duckdbs(feed):
    duck, relation = feed
    assert duck.type_names(f'SELECT COALESCE("e", "h" * 0.7) AS z FROM {relation.name}') == {"z": "DECIMAL(38,1)"}
    condition = condition_of('COALESCE("e", "h" * 0.7) > 1', {name: name for name in SCHEMA.names})
    assert condition is not None
    assert Check.of(condition, SCHEMA, tried=True) is None
