"""Subqueries streamed: folded after every tick, the answer is DuckDB's over the records read so far."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import assert_one_answer
from tests.engine.harness import plan_of as append_plan_of
from tests.engine.test_changes import Topic, Topics, follow, plan_of
from tests.sql.test_subqueries import ELSEWHERE, EXACT, SCHEMAS, SEMANTICS_OF_THEIR_OWN
from velostream_nb.sql.plan import IntervalJoin, Keyed, TableJoin, walk

STREAMED = [q for q in [*EXACT, *ELSEWHERE] if q not in SEMANTICS_OF_THEIR_OWN]


def rows(rng: random.Random, schema: pa.Schema, count: int) -> pa.Table:
    def value(field: pa.Field, number: int) -> object:
        if field.name == "ts":
            return BASE_US + number * 100_000
        if field.nullable and rng.random() < 0.2:
            return None
        return rng.choice("ABC") if pa.types.is_string(field.type) else rng.randrange(4)

    return pa.Table.from_pylist([{f.name: value(f, i) for f in schema} for i in range(count)], schema=schema)


def topics(seed: int) -> Topics:
    rng = random.Random(seed)
    counts = {"a": 12, "sure": 2}
    return Topics({name: Topic(rows(rng, schema, counts.get(name, 7))) for name, schema in SCHEMAS.items()})


@pytest.mark.parametrize("query", STREAMED[::3])
def test_a_subquery_is_right_after_every_tick(query: str) -> None:
    for seed in range(1, 9):  # some data gives no rows at all
        _, changes = follow(query, topics(seed), oracle=ELSEWHERE.get(query), seed=seed)
        if changes:
            return
    pytest.fail("a case that gives no rows proves nothing")


@pytest.mark.parametrize("query", STREAMED[1::9])
def test_restarts_change_nothing(query: str, tmp_path: Path) -> None:
    follow(query, topics(2), oracle=ELSEWHERE.get(query), seed=2, tmp_path=tmp_path)


TIMED = {
    "semi": (
        "SELECT k, x FROM a WHERE EXISTS "
        "(SELECT 1 FROM b WHERE b.k = a.k AND b.ts BETWEEN a.ts - INTERVAL 1 SECOND AND a.ts + INTERVAL 1 SECOND)"
    ),
    "anti": (
        "SELECT k, x FROM a WHERE x > 0 AND NOT EXISTS "
        "(SELECT 1 FROM b WHERE b.k = a.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 700 MILLISECOND)"
    ),
}


@pytest.mark.parametrize("kind", TIMED)
def test_a_bound_in_time_keeps_the_answer_append_only(kind: str, tmp_path: Path) -> None:
    rng = random.Random(5)
    streams = {name: rows(rng, SCHEMAS[name], 60) for name in ("a", "b")}
    answer = assert_one_answer(TIMED[kind], TIMED[kind], streams, tmp_path=tmp_path, batches=(1, 7, None))
    assert answer
    nodes = walk(append_plan_of(TIMED[kind], streams).root)
    assert [n.kind for n in nodes if isinstance(n, IntervalJoin)] == [kind]


def test_without_a_bound_all_rows_count_whatever_the_default_bound_is() -> None:
    plan = plan_of("SELECT k FROM a WHERE x IN (SELECT y FROM b)", topics(1), {"join.within": "1ms"})
    assert [type(n) for n in walk(plan.root) if isinstance(n, (IntervalJoin, Keyed))] == [Keyed]
    assert not any("join.within" in note for note in plan.notes)


def test_a_join_that_somebody_writes_may_be_of_all_rows_too() -> None:
    query = "SELECT a.k, a.x, b.x AS y FROM a JOIN b ON a.k = b.k AND a.ts >= b.ts"
    follow(query, topics(3), settings={"join.within": "unbounded"})
    near = "SELECT a.k FROM a JOIN b ON a.k = b.k WHERE b.ts BETWEEN a.ts AND a.ts + INTERVAL 1 SECOND"
    assert plan_of(near, topics(3), {"join.within": "unbounded"}).changelog is None, "a bound that is written counts"


def test_a_table_is_looked_up_by_its_key() -> None:
    """One row a stream's row, append-only: the row that the table has at that moment, as a join has it."""
    made = topics(1)
    schema = pa.schema([pa.field("k", pa.string(), nullable=False), ("cap", pa.int64())])
    made["caps"] = Topic(pa.Table.from_pylist([{"k": "A", "cap": 1}, {"k": "B", "cap": 2}], schema=schema), ("k",))
    plan = plan_of("SELECT k, x > (SELECT cap FROM caps WHERE caps.k = a.k) AS over FROM a", made)
    assert [n.kind for n in walk(plan.root) if isinstance(n, TableJoin)] == ["left"]
    assert plan.changelog is None


def test_views_and_with_parts_are_read_in_subqueries() -> None:
    query = (
        "WITH busy AS (SELECT k, count(*) AS n FROM b GROUP BY k) "
        "SELECT k, x, (SELECT n FROM busy WHERE busy.k = a.k) AS n FROM a WHERE k IN (SELECT k FROM busy WHERE n > 1)"
    )
    plan, changes = follow(query, topics(4))
    assert changes
    assert any(row["n"] for row in changes)
    assert plan.changelog == "retract"
