"""Inner joins of changelogs, by pairs and anew by key: after every tick what DuckDB answers in batch."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.test_changes import Topic, Topics, follow, plan_of
from velostream_nb.engine import changes_join
from velostream_nb.engine.changes_join import PairsJoin
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.keyed import Keyed
from velostream_nb.engine.weighted_rows import WeightedRows

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("k", pa.string()),
        ("n", pa.int32()),
        ("x", pa.float64()),
        ("timestamp", pa.timestamp("us")),
    ]
)


def topic(seed: int, count: int, *, replaced: bool) -> Topic:
    """Rows of which some have NULL keys; `replaced`: they take the place of others, or delete them."""
    rng = random.Random(seed)
    made = [
        {
            "id": rng.randrange(12) if replaced else number,
            "k": rng.choice(["a", "b", "c", "", None]),
            "n": rng.choice([1, 2, 3, None]),
            "x": rng.choice([0.0, -0.0, 1.5, float("nan"), None]),
            "timestamp": BASE_US + number * 1_000,
        }
        for number in range(count)
    ]
    ops = [rng.choice(["upsert", "upsert", "delete"]) for _ in made] if replaced else None
    return Topic(pa.Table.from_pylist(made, schema=SCHEMA), ("id",) if replaced else (), ops)


QUERIES = {
    "columns": "SELECT l.id, r.id AS other, l.k FROM l JOIN r ON l.k = r.k",
    "two parts": "SELECT l.id, r.id AS other, l.x + r.x AS s FROM l JOIN r ON l.k = r.k AND l.n = r.n",
    "doubles": "SELECT l.id, r.id AS other FROM l JOIN r ON l.x = r.x",
    "condition": "SELECT l.id, r.id AS other FROM l JOIN r ON l.k = r.k AND l.n < r.n AND r.x >= abs(l.x)",
    "equal rows": "SELECT l.k, r.n FROM l JOIN r ON l.k = r.k",
    "filtered": "SELECT l.id, r.n * 2 AS twice FROM l JOIN r ON l.k = r.k WHERE l.n + r.n > 3 AND l.x IS NOT NULL",
    "grouped": "SELECT l.k, count(*) AS c, sum(r.n) AS s, max(r.x) AS m FROM l JOIN r ON l.k = r.k GROUP BY l.k",
    "of groups": "SELECT a.k, a.c, b.s FROM (SELECT k, count(*) AS c FROM l GROUP BY k) a "
    "JOIN (SELECT k, sum(n) AS s FROM r GROUP BY k) b ON a.k = b.k",
}


@pytest.fixture(params=["pairs", "anew"])
def way(request, monkeypatch) -> type:
    """Both ways of joining."""
    if request.param == "pairs":
        return PairsJoin
    monkeypatch.setattr(changes_join.ChangesJoin, "for_node", classmethod(lambda cls, *_: cls))
    return Keyed


def operators(plan) -> list[object]:
    engine = JobEngine(plan)
    engine.close()
    return [node.operator for node in engine.nodes]


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("name", QUERIES)
def test_every_tick_equals_batch(name, replaced, way, tmp_path):
    topics = Topics(l=topic(1, 70, replaced=replaced), r=topic(2, 60, replaced=replaced))
    for seed in range(2):
        plan, _ = follow(QUERIES[name], topics, seed=seed, settings={"join.within": "unbounded"}, tmp_path=tmp_path)
    assert any(isinstance(operator, way) for operator in operators(plan))


@pytest.mark.parametrize(
    ("on", "settings"),
    [
        ("l.n = r.id", {}),
        ("l.k = r.k AND random() < l.x", {}),
        ("l.k = r.k", {"state.ttl": "1h"}),
    ],
)
def test_what_pairs_cannot_promise_is_answered_anew(on, settings):
    topics = Topics(l=topic(1, 5, replaced=True), r=topic(2, 5, replaced=True))
    plan = plan_of(f"SELECT l.id, r.id AS other FROM l JOIN r ON {on}", topics, settings)
    assert not any(isinstance(operator, PairsJoin) for operator in operators(plan))


def test_state_is_the_rows_that_are_there():
    topics = Topics(l=topic(3, 3_000, replaced=True), r=topic(4, 3_000, replaced=True))
    engine = JobEngine(plan_of(QUERIES["condition"], topics))
    sizes = []
    for start in range(0, 3_000, 20):
        engine.tick({name: [topics[name].batch(start, start + 20)] for name in ("l", "r")})
        (join,) = (s for s in engine.stats() if s.name == "join")
        assert join.state_rows <= 2 * 12
        sizes.append(join.state_bytes)
    assert max(sizes[75:]) <= 2 * max(sizes[:75])
    assert "keeps the rows of both inputs, by key" in join.detail
    engine.close()


def test_a_row_of_which_the_condition_cannot_be_computed_is_set_aside():
    rows = [("1", "a"), ("2", "b"), ("x", "a"), ("4", "a")]
    made = [{"v": v, "k": k, "timestamp": BASE_US + n} for n, (v, k) in enumerate(rows)]
    schema = pa.schema([("v", pa.string()), ("k", pa.string()), ("timestamp", pa.timestamp("us"))])
    topics = Topics(l=Topic(pa.Table.from_pylist(made, schema=schema)), r=topic(5, 8, replaced=True))
    topics["r"].ops = ["upsert"] * 8
    query = "SELECT l.v, r.id FROM l JOIN r ON l.k = r.k AND CAST(l.v AS INTEGER) + r.id >= 0"
    engine = JobEngine(plan_of(query, topics, {"join.within": "unbounded"}))
    engine.tick({"r": [topics["r"].batch(0, 8)]})
    outcome = engine.tick({"l": [topics["l"].batch(0, 4)]})
    engine.close()
    (rejected,) = outcome.rejected
    assert b'"v": "x"' in rejected.raw
    assert set(outcome.rows.column("v").to_pylist()) == {"1", "2", "4"}


@pytest.mark.parametrize("seed", range(4))
def test_weighted_rows_are_those_that_came_less_those_that_went(seed):
    rng = np.random.default_rng(seed)
    schema = pa.schema([("k", pa.int64()), ("a", pa.int64()), ("b", pa.string())])
    kept, model = WeightedRows(schema), Counter()
    for size in (0, 3, 2_000, 5, 1_500, 40, 3_000, 1, 2_500):
        keys, a = rng.integers(0, 50, size), rng.integers(0, 3, size)
        b = [None if c == "n" else c for c in rng.choice(["x", "y", "n"], size).tolist()]
        weights = rng.choice([-2, -1, 1, 3] if seed else [1], size)
        kept.add(pa.table([pa.array(keys), pa.array(a), pa.array(b, pa.string())], schema=schema), weights, keys)
        for row in zip(keys.tolist(), a.tolist(), b, weights.tolist(), strict=True):
            model[row[:3]] += row[3]
        asked = np.array([7, 3, 99, 3])
        which, places = kept.pairs(asked)
        order = np.argsort(places, kind="stable")
        rows = kept.take(places[order], ["b", "a"]).to_pydict()
        found = Counter()
        for n, a_, b_, w in zip(which[order].tolist(), rows["a"], rows["b"], kept.weights(places[order]), strict=True):
            found[n, a_, b_] += int(w)
        expected = {
            (n, *row[1:]): w for n, key in enumerate(asked.tolist()) for row, w in model.items() if row[0] == key
        }
        assert {row: w for row, w in found.items() if w} == {row: w for row, w in expected.items() if w}
    rows, weights, keys = kept.every()
    found = Counter()
    for row, weight, key in zip(rows.to_pylist(), weights.tolist(), keys.tolist(), strict=True):
        assert row["k"] == key
        found[key, row["a"], row["b"]] += weight
    assert {row: w for row, w in found.items() if w} == {row: w for row, w in model.items() if w}
    assert kept.rows == len(weights)
