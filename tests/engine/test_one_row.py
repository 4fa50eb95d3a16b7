"""A join with one row that changes: right after every tick, whatever the left side takes back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.test_changes import Topic, Topics, follow, plan_of
from tests.engine.test_subqueries import topics
from velostream_nb.engine import one_row
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.plan import OneRowJoin, walk

GROUPS = "(SELECT k, count(*) AS n FROM a GROUP BY k)"
QUERIES = {
    "filter": f"SELECT k, n FROM {GROUPS} g WHERE n >= (SELECT max(y) FROM b)",
    "column": f"SELECT k, n, (SELECT max(y) FROM b) AS m FROM {GROUPS} g",
    "anti": f"SELECT k, n FROM {GROUPS} g ANTI JOIN (SELECT max(y) AS m FROM b) t ON g.n > t.m",
    "left, with a row at times": f"SELECT * FROM {GROUPS} g LEFT JOIN (SELECT min(y) AS m FROM b HAVING count(*) < 4) t ON g.n > t.m",
    "semi, with a row at times": f"SELECT k FROM {GROUPS} g SEMI JOIN (SELECT min(y) AS m FROM b HAVING count(*) < 4) t ON TRUE",
    "inner, with a condition": "SELECT k, x, m FROM a JOIN (SELECT max(y) AS m FROM b) t ON x <= m",
    "no columns": "SELECT 1 AS one FROM a WHERE EXISTS (SELECT 1 FROM b WHERE y = 2)",
    "over itself": f"SELECT k, n FROM {GROUPS} g WHERE n > (SELECT avg(n) FROM {GROUPS} o)",
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_answer_is_right_after_every_tick(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "_COMPACT_ROWS", 3)
    for seed in (1, 2):
        plan, _ = follow(QUERIES[name], topics(seed), seed=seed, tmp_path=tmp_path if seed == 2 else None)
    assert [n for n in walk(plan.root) if isinstance(n, OneRowJoin)]


def batch(topic: Topic, start: int, stop: int) -> list[object]:
    return [topic.batch(start, stop)]


def rows(values: list[object], step_us: int = 1_000_000) -> Topic:
    schema = pa.schema([("v", pa.string()), ("x", pa.int64()), ("ts", pa.timestamp("us"))])
    records = [{"v": str(v), "x": n, "ts": BASE_US + n * step_us} for n, v in enumerate(values)]
    return Topic(pa.Table.from_pylist(records, schema=schema))


def test_what_was_taken_back_is_merged_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_row, "_COMPACT_ROWS", 10)
    many = Topics(a=rows([n % 2 for n in range(200)]), b=rows([1]))
    query = "SELECT v, n FROM (SELECT v, count(*) AS n FROM a GROUP BY v) g WHERE n > (SELECT max(x) FROM b)"
    engine = JobEngine(plan_of(query, many))
    try:
        for n in range(200):
            engine.tick({"a": batch(many["a"], n, n + 1), "b": batch(many["b"], 0, 1) if n == 0 else []})
        (kept,) = (s.state_rows for s in engine.stats() if s.name == "one-row join")
    finally:
        engine.close()
    assert kept < 30, "two groups stand, with a few changes that are not merged yet"


def test_rows_are_forgotten_after_the_ttl() -> None:
    many = Topics(a=rows(list(range(300))), b=rows([1]))
    plan = plan_of("SELECT v FROM a WHERE x > (SELECT max(x) FROM b)", many, {"state.ttl": "20s"})
    engine = JobEngine(plan)
    try:
        sizes = []
        for n in range(0, 300, 5):
            engine.tick({"a": batch(many["a"], n, n + 5), "b": batch(many["b"], 0, 1) if n == 0 else []})
            sizes += [s.state_rows for s in engine.stats() if s.name == "one-row join"]
    finally:
        engine.close()
    assert max(sizes) < 40
    assert sizes[-1] > 10


def test_a_row_that_cannot_be_compared_is_set_apart() -> None:
    some = Topics(a=rows([5, "no number", 1]), b=rows([1, 2, 3, 4]))
    engine = JobEngine(plan_of("SELECT v FROM a WHERE v::BIGINT > (SELECT max(x) FROM b)", some))
    try:
        first = engine.tick({"a": batch(some["a"], 0, 3), "b": batch(some["b"], 0, 1)})
        later = engine.tick({"b": batch(some["b"], 1, 4)})
    finally:
        engine.close()
    assert [r.path for r in first.rejected] == ["one-row join"]
    assert sorted(first.rows.column("v").to_pylist()) == ["1", "5"]
    assert later.rows.to_pylist() == [{"v": "1", "__op": "delete"}]
    assert not later.rejected
