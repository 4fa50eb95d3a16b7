"""Projects are taken into the statement of the operator below: fewer steps, the same answer, the same letters."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import Streams, batch, comparable, decoded, plan_of, stream
from velostream_nb.engine.explain import explain
from velostream_nb.engine.job import JobEngine, Outcome

SECOND = 1_000_000
SCHEMA = pa.schema([("id", pa.int64()), ("k", pa.string()), ("v", pa.string()), ("ts", pa.timestamp("us"))])
CHAIN = (
    "WITH a AS (SELECT id, k, CAST(v AS BIGINT) AS n, ts FROM s), b AS (SELECT *, n * 2 AS twice FROM a WHERE n > 1) "
    "SELECT id, twice + n AS x FROM b WHERE twice < 100"
)
OVER = "SELECT id, p + 1 AS q FROM (SELECT id, LAG(id) OVER (PARTITION BY k ORDER BY ts) AS p FROM s) WHERE p % 3 > 0"
RUNNING = "SELECT id, total * 2 AS t FROM (SELECT id, SUM(id) OVER (PARTITION BY k ORDER BY ts) AS total FROM s) WHERE total > 9"

WINDOW = "SELECT k, CAST(m AS BIGINT) AS x FROM (SELECT k, MAX(v) AS m FROM s GROUP BY k, TUMBLE(ts, 2s)) WHERE m > '1'"


def rows(*made: tuple[float, str]) -> pa.Table:
    """(seconds, value) in arrival order."""
    listed = [
        {"id": i, "k": "ab"[i % 2], "v": value, "ts": BASE_US + int(s * SECOND)} for i, (s, value) in enumerate(made)
    ]
    return pa.Table.from_pylist(listed, schema=SCHEMA)


def names(query: str) -> list[str]:
    engine = JobEngine(plan_of(query, {"s": rows()}))
    try:
        return [node.name for node in engine.nodes]
    finally:
        engine.close()


def outcomes(query: str, table: pa.Table, sizes: list[int], **settings: str) -> list[Outcome]:
    engine = JobEngine(plan_of(query, {"s": table}, settings))
    found, start = [], 0
    try:
        for size in sizes:
            found.append(engine.tick({"s": [decoded(table, start, start + size)]}))
            start += size
        found.append(engine.tick({}, final=True))
    finally:
        engine.close()
    return found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (CHAIN, ["source", "project"]),
        (OVER, ["source", "order", "over"]),
        (RUNNING, ["source", "order", "running"]),
        (WINDOW, ["source", "window"]),
        (f"WITH c AS ({OVER}) SELECT * FROM c WHERE q > 1 UNION ALL SELECT id, 0 AS q FROM c",
         ["source", "order", "over", "project", "project", "union"]),
    ],
)  # fmt: skip
def test_who_takes_what(query, expected):
    found = names(query)
    assert [n for n in found if n != "source"] == expected[1:]


@pytest.mark.parametrize("query", [CHAIN, OVER, RUNNING, WINDOW])
def test_the_answer_is_the_same(query, tmp_path):
    data = {"s": rows(*((i // 2, str(i % 70)) for i in range(120)))}
    oracle = query.replace("ORDER BY ts)", "ORDER BY __ts, __pos)") if "LAG" in query else query
    oracle = oracle.replace("TUMBLE(ts, 2s)", "time_bucket(INTERVAL 2 SECOND, ts, TIMESTAMP '1970-01-01')")
    expected = comparable(batch(oracle, data))
    assert expected
    for restart in (None, tmp_path):
        run = stream(plan_of(query, data), data, batch_rows=None, rng=random.Random(2), restart=restart)
        assert comparable(run.rows) == expected


def test_explain_says_every_step_that_is_taken():
    lines = "\n".join(explain(plan_of(OVER, {"s": rows()})).lines())
    assert "over LAG(id) OVER (PARTITION BY k ORDER BY event time) AS p, then select id, p, then select" in lines
    assert "keeps last 1 row per (k)" in lines
    lines = "\n".join(explain(plan_of(WINDOW, {"s": rows()})).lines())
    assert "tumble 2 s by k: MAX(v), then select k, " in lines
    assert "keeps one aggregate state per slice and key" in lines


def test_a_row_that_cannot_be_computed_is_set_aside_alone():
    table = rows((1, "5"), (2, "bad"), (3, "7"), (4, "1"), (5, "60"))
    found = outcomes(CHAIN, table, [5])
    assert [row["id"] for o in found for row in o.rows.to_pylist()] == [0, 2]
    (rejected,) = [r for o in found for r in o.rejected]
    assert (rejected.offset, b'"bad"' in rejected.raw) == (1, True)
    over = "SELECT id, CAST(p AS BIGINT) AS q FROM (SELECT id, LAG(v) OVER (ORDER BY ts) AS p FROM s)"
    found = outcomes(over, table, [5])
    assert [row["id"] for o in found for row in o.rows.to_pylist()] == [0, 1, 3, 4]
    table = rows((1, "5"), (2, "bad"), (3, "7"), (6, "2"), (8, "60"))
    found = outcomes(WINDOW, table, [4, 1])
    assert [(row["k"], row["x"]) for o in found for row in o.rows.to_pylist()] == [
        ("a", 5),
        ("a", 7),
        ("b", 2),
        ("a", 60),
    ]
    (rejected,) = [r for o in found for r in o.rejected]
    assert b'"bad"' in rejected.raw


def test_late_rows_pass_through_all_that_is_taken():
    table = rows((1, "5"), (9, "6"), (2, "7"), (3, "bad"), (2.5, "60"))
    (first, *_) = found = outcomes(CHAIN, table, [5])
    assert comparable(first.rows.to_pylist()) == [(0, 15), (1, 18), (2, 21)]
    assert [r.offset for o in found for r in o.rejected] == [3]


def test_another_query_is_another_plan():
    prints = set()
    for query in (OVER, OVER.replace("% 3", "% 4"), OVER.replace("p + 1", "p + 2")):
        engine = JobEngine(plan_of(query, {"s": rows()}))
        prints.add(engine.fingerprint)
        engine.close()
    assert len(prints) == 3


def test_a_changelog_is_projected_within_its_own_step():
    query = "SELECT k, n + 1 AS m FROM (SELECT k, COUNT(*) AS n FROM s GROUP BY k) WHERE n > 1"
    data = {"s": rows(*((i, "1") for i in range(20)))}
    run = stream(plan_of(query, data), Streams(data).tables, batch_rows=3, rng=random.Random(0))
    assert {row["k"]: row["m"] for row in run.rows if row["__op"] == "upsert"} == {"a": 11, "b": 11}
