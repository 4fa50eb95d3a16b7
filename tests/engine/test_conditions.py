"""Conditions told without DuckDB: true for the same rows, or for more where only DuckDB can say."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pyarrow as pa
import pytest
import sqlglot

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.prefilter import Prefilter
from velostream_nb.engine.reading import OutOfReachError
from velostream_nb.sql.conditions import condition_of

NAN, INF = float("nan"), float("inf")
X = [0.0, -0.0, 1.5, 10.0, -3.0, 1e308, NAN, INF, -INF, None]
W = [0, 20, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, -(10**30), None]
I = [0, 1, -1, 20, 2**53 + 1, -(2**63), 2**63 - 1, None]  # noqa: E741
S = ["", "BUY", "buy", "SELL", "BUY ", "Ä", None]
COUNT = 280
FURTHEST = {"x": 1e308, "i": 2**63 - 1, "w": 10**30, "j": 32_767, "s": None, "d": 9_999_999, "u": 2**64 - 1, "b": None}
TABLE = pa.table(
    {
        "x": pa.array([*itertools.islice(itertools.cycle(X), COUNT)], pa.float64()),
        "i": pa.array([*itertools.islice(itertools.cycle(I), COUNT)], pa.int64()),
        "w": pa.array([*itertools.islice(itertools.cycle(W), COUNT)], HUGEINT),
        "j": pa.array([n % 7 - 3 for n in range(COUNT)], pa.int16()),
        "s": pa.array([*itertools.islice(itertools.cycle(S), COUNT)], pa.string()),
        "d": pa.array([None if n % 5 == 0 else n for n in range(COUNT)], pa.decimal128(9, 2)),
        "u": pa.array([n * 2**55 for n in range(COUNT)], pa.uint64()),
        "b": pa.array([(True, False, None)[n % 3] for n in range(COUNT)], pa.bool_()),
    }
)

NEAR = TABLE.set_column(1, "i", pa.array([None if n % 4 == 0 else n * 10**9 for n in range(COUNT)], pa.int64()))
NEAR = NEAR.set_column(2, "w", pa.array([None if n % 3 == 0 else 50 - n * 10**8 for n in range(COUNT)], HUGEINT))
NEAR = NEAR.set_column(6, "u", pa.array([n % 11 for n in range(COUNT)], pa.uint64()))
FAR = pa.table({name: [FURTHEST[name]] for name in NEAR.column_names}, NEAR.schema)

EXACT = [
    '"x" > 1',
    '1 >= "x"',
    '"x" / "j" * 100 > 5 AND "s" = \'BUY\'',
    '(ABS(("x" - "i") / "x") > 5)',
    "\"s\" = 'BUY'",
    "'BUY' <> \"s\"",
    "\"s\" = ''",
    "\"s\" IN ('BUY', 'Ä')",
    '"i" = 9007199254740993',
    '"i" <> -1',
    '"i" <= 20 AND 0 < "i"',
    '"w" >= 20',
    '"w" < 20 AND "w" <> -1',
    '"w" IN (0, 9007199254740993)',
    '"j" IN (1, 2)',
    '"j" BETWEEN -1 AND 2',
    '"x" BETWEEN -1 AND 2.5',
    '"x" IS NULL OR "s" IS NULL',
    'NOT "x" IS NULL AND ("i" > 1 OR "x" < -5e3)',
    '("j" > 0 AND "x" > 0) OR ("j" < 0 AND "x" < 0)',
    '"d" IS NULL',
    '"j" > 3 * "x" AND "i" = 20',
]
IN_PART = [
    '"j" > 1 AND "d" > 3',
    '"x" > 0 AND "b"',
    "\"s\" = 'BUY' AND \"s\" LIKE '%X'",
    '("x" > 0 OR "j" > 1) AND ROUND("x") > 2',
    '("x" > 0 AND "i" % 2 = 0) OR "j" = 2',
]
LEFT_TO_DUCKDB = [
    '"d" > 3',
    '"u" > 3',
    '"x" = 1.5',
    '"i" = 1.5',
    '"i" = 99999999999999999999',
    '"x" > 0 OR "b"',
    "\"s\" > 'A'",
    "\"i\" = '1'",
    'NOT "x" > 1',
    'NOT "j" IN (1, 2)',
    '"j" IN (1, NULL)',
    '"b" IS TRUE',
    '"i" + "j" > 1',
    "\"s\" COLLATE NOCASE = 'BUY'",
    "\"s\" ILIKE 'buy'",
    '"j" IN (SELECT 1)',
]


TRIED = {
    '"d" > 3': False,
    '0.7 * "d" < 30e0 * "j"': False,
    '"u" >= 3 * "j"': True,
    '"i" + "j" > 1': True,
    'COALESCE("w", 0) > "j" / 2': True,
    'GREATEST("i", 1) * 1.5 >= LEAST("d", 2)': True,
    '"j" * 0.5 > 1 OR "i" - "w" > 0': True,
}
"""Conditions, and whether some rows are out of reach."""


def in_duckdb(where: str, rows: pa.Table = TABLE) -> list[bool]:
    duck = Duck()
    feed = duck.feed(TABLE.schema)
    feed.rows = rows
    found = duck.evaluate(f"SELECT ({where}) IS TRUE AS passes FROM {feed.name}")
    duck.close()
    return found.column("passes").to_pylist()


def check_of(where: str, *, tried: bool = False) -> Check | None:
    where = sqlglot.parse_one(where, dialect="duckdb").sql(dialect="duckdb")
    return Check.of(condition_of(where, {name: name for name in TABLE.column_names}), TABLE.schema, tried=tried)


@pytest.mark.parametrize("where", EXACT)
def test_the_same_rows_as_in_duckdb(where):
    check = check_of(where)
    assert check is not None
    assert check.exact
    expected = in_duckdb(where)
    assert check.passes(TABLE).tolist() == expected
    assert 0 < sum(expected) < COUNT
    pieces = pa.concat_tables([TABLE.slice(0, 3), TABLE.slice(3, 90), TABLE.slice(93)])
    assert check.passes(pieces).tolist() == expected
    assert check.passes(TABLE.slice(0, 0)).tolist() == []


@pytest.mark.parametrize(("where", "bounded"), TRIED.items())
def test_more_is_known_to_who_can_leave_a_batch_to_duckdb(where, bounded):
    assert check_of(where) is None
    check = check_of(where, tried=True)
    assert check is not None
    assert check.exact
    assert check.tried
    with pytest.raises(OutOfReachError) if bounded else nullcontext():
        check.passes(pa.concat_tables([NEAR, FAR]))
    expected = in_duckdb(where, NEAR)
    assert check.passes(NEAR).tolist() == expected
    assert 0 < sum(expected) < len(NEAR)


@pytest.mark.parametrize("where", IN_PART)
def test_no_row_that_passes_is_lost(where):
    check = check_of(where)
    assert check is not None
    assert not check.exact
    maybe, expected = check.passes(TABLE).tolist(), in_duckdb(where)
    assert all(may for may, passes in zip(maybe, expected, strict=True) if passes)
    assert sum(maybe) < COUNT


@pytest.mark.parametrize("where", LEFT_TO_DUCKDB)
def test_nothing_is_said_of_what_has_rules_of_its_own(where):
    assert check_of(where) is None


def test_sql_that_reads_otherwise_than_it_is_written_is_left_alone():
    assert condition_of("x>1", {"x": "x"}) is None
    assert condition_of("x > 1", {"x": "x"}) is not None


def test_a_filter_that_leaves_most_rows_rests():
    prefilter = Prefilter(check_of('"j" > -3'))
    assert prefilter.passing(TABLE) is TABLE
    few = TABLE.filter(pa.array([j == -3 for j in TABLE.column("j").to_pylist()]))
    resting = [prefilter.passing(few).num_rows for _ in range(20)]
    assert resting[0] == few.num_rows
    assert resting[-1] == 0
