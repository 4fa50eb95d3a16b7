"""The harness itself: tables, views and reference rows as inputs, every tick judged, wrong answers told."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import Streams, assert_one_answer, has_answer_at_every_tick, plan_of
from velostream_nb.core.records import OP
from velostream_nb.engine.changes import Emit


def streams() -> Streams:
    rng = random.Random(0)
    rows = pa.table(
        {
            "k": [rng.choice(["a", "b", None]) for _ in range(120)],
            "x": [rng.randrange(5) for _ in range(120)],
            "timestamp": pa.array([BASE_US + i * 100_000 for i in range(120)], pa.timestamp("us")),
        }
    )
    limits = pa.table(
        {
            "k": [rng.choice("abc") for _ in range(60)],
            "most": [rng.randrange(50) for _ in range(60)],
            OP: [rng.choice(["upsert", "upsert", "delete"]) for _ in range(60)],
        }
    )
    names = pa.table({"k": ["a", "b"], "name": ["Anna", "Ben"]})
    return Streams(
        {"s": rows, "limits": limits}, {}, {"limits": ("k",)}, {"big": "SELECT * FROM s WHERE x > 1"}, {"n": names}
    )


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, SUM(x) AS total FROM big GROUP BY k",
        "SELECT k, most FROM limits WHERE most > 10",
        "SELECT l.k, l.total, r.most FROM (SELECT k, SUM(x) AS total FROM big GROUP BY k) l LEFT JOIN limits r ON l.k = r.k",
        "SELECT l.most, n.name FROM limits l JOIN n ON l.k = n.k",
        "SELECT COUNT(*) AS c, MAX(most) AS m FROM limits HAVING COUNT(*) > 0",
    ],
)
def test_tables_views_and_reference_rows(query: str, tmp_path: object) -> None:
    assert has_answer_at_every_tick(plan_of(query, streams()))
    assert_one_answer(query, query, streams(), batches=(1, 7, None), state_rows=1_000)


def test_a_tick_that_lags_behind_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Emit.rows
    held: list[pa.Table] = []

    def late(self: Emit, changes: pa.Table) -> pa.Table:
        held.append(changes)
        return real(self, held.pop(0) if len(held) > 1 else changes.slice(0, 0))

    monkeypatch.setattr(Emit, "rows", late)
    query = "SELECT k, SUM(x) AS total FROM s GROUP BY k"
    with pytest.raises(AssertionError, match="differs from batch"):
        assert_one_answer(query, query, streams(), batches=(7,))


def test_state_over_its_bound_is_noticed() -> None:
    query = "SELECT epoch_us(timestamp) AS t, COUNT(*) AS n FROM s GROUP BY t"
    with pytest.raises(AssertionError, match="rows held, 50 allowed"):
        assert_one_answer(query, query, streams(), batches=(7,), state_rows=50)
