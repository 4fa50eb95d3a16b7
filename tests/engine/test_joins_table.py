"""Streams with tables: the row of now tick by tick, and the row in force at a time over all ticks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, maybe, times
from tests.engine.harness import comparable
from velostream_nb.core.errors import UnsupportedError
from velostream_nb.core.records import OP, POS, TS, Decoded
from velostream_nb.core.schema import StreamSchema
from velostream_nb.engine.job import JobEngine, Outcome
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan, Keyed, StreamInfo, TableJoin, walk
from velostream_nb.sql.planner import plan_job

ORDERS = pa.schema([("id", pa.int64()), ("k", pa.int64()), ("x", pa.int64()), ("ts", pa.timestamp("us"))])
LIMITS = pa.schema([("k", pa.int64()), ("most", pa.int64()), ("owner", pa.string()), ("ts", pa.timestamp("us"))])
OWNERS = pa.table({"owner": ["ann", "ann", "bob"], "desk": ["rates", "fx", "rates"]})


@dataclass
class World:
    """Records of two topics in arrival order: orders, and limits per k that change and end."""

    orders: pa.Table
    limits: pa.Table
    ops: list[str]

    def view(self, name: str) -> None:
        return None

    def stream(self, name: str) -> StreamInfo:
        if name == "orders":
            return StreamInfo(name, name, StreamSchema(ORDERS, "ts"))
        if name == "limits":
            return StreamInfo(name, name, StreamSchema(LIMITS, "ts", ("k",), changelog="upsert"), table=True)
        if name == "bag":
            return StreamInfo(name, "limits", StreamSchema(LIMITS, "ts", changelog="retract"))
        assert name == "owners"
        return StreamInfo(name, name, StreamSchema(OWNERS.schema, None, changelog="retract"), table=True, rows=OWNERS)

    def batch(self, topic: str, start: int, stop: int) -> Decoded:
        rows = (self.orders if topic == "orders" else self.limits).slice(start, stop - start)
        full = rows.append_column(TS, rows.column("ts").cast(pa.int64()))
        full = full.append_column(POS, pa.array(np.arange(start, stop)))
        if topic == "limits":
            full = full.append_column(OP, pa.array(self.ops[start:stop], pa.string()))
        return Decoded(full.combine_chunks().to_batches()[0])

    def relations(self, orders: tuple[int, int], limits: int) -> dict[str, pa.Table]:
        """Orders [start, stop) and what `limits` records make of the table, for DuckDB."""
        newest: dict[int, dict[str, Any]] = {}
        for row, op in zip(self.limits.slice(0, limits).to_pylist(), self.ops, strict=False):
            newest.pop(row["k"], None)
            if op != "delete":
                newest[row["k"]] = row
        rows = self.orders.slice(orders[0], orders[1] - orders[0])
        return {
            "orders": rows.append_column("__ts", rows.column("ts").cast(pa.int64())),
            "limits": pa.Table.from_pylist(list(newest.values()), schema=LIMITS),
            "owners": OWNERS,
        }


def world(seed: int, orders: int = 60, limits: int = 40, disorder_us: int = 0) -> World:
    rng = random.Random(seed)
    made = [
        {"id": n, "k": maybe(rng, rng.randrange(5)), "x": rng.randrange(20), "ts": ts}
        for n, ts in enumerate(times(rng, orders, disorder_us=disorder_us))
    ]
    changed = [
        {"k": rng.randrange(5), "most": maybe(rng, rng.randrange(20), 0.1), "owner": rng.choice(["ann", "bob", None]), "ts": ts}
        for ts in times(rng, limits, disorder_us=disorder_us)
    ]  # fmt: skip
    ops = [rng.choice(["upsert", "upsert", "upsert", "delete"]) for _ in changed]
    return World(pa.Table.from_pylist(made, schema=ORDERS), pa.Table.from_pylist(changed, schema=LIMITS), ops)


def plan_of(query: str, catalog: World, **settings: str) -> JobPlan:
    (statement,) = parse(f"START JOB j AS {query}").statements
    return plan_job(statement, catalog, {k.replace("_", "."): v for k, v in settings.items()})


def duck(sql: str, relations: dict[str, pa.Table]) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET asof_loop_join_threshold = 0")
        for name, table in relations.items():
            con.register(name, table)
        return comparable(con.sql(sql).to_arrow_table().to_pylist())


Tick = tuple[Outcome, tuple[int, int], int]


def ticks(plan: JobPlan, data: World, rng: random.Random, restart: Path | None = None) -> Iterator[Tick]:
    """Random ticks to the end, each with the orders it took and the limits read so far; restarts in between."""
    engine = JobEngine(plan, state_dir=str(restart) if restart else None)
    orders = limits = 0
    try:
        while orders < data.orders.num_rows or limits < data.limits.num_rows:
            upto = min(data.orders.num_rows, orders + rng.choice([0, 1, 3, 20]))
            known = min(data.limits.num_rows, limits + rng.choice([0, 1, 2, 15]))
            batches = {"orders": [data.batch("orders", orders, upto)]} if upto > orders else {}
            batches |= {"limits": [data.batch("limits", limits, known)]} if known > limits else {}
            outcome = engine.tick(batches)
            yield outcome, (orders, upto), known
            orders, limits = upto, known
            if restart is not None and rng.random() < 0.3:
                engine.save(restart / "snapshot.duckdb")
                engine.close()
                engine = JobEngine(plan, state_dir=str(restart))
                engine.load(restart / "snapshot.duckdb")
        yield engine.tick({}, final=True), (orders, orders), limits
    finally:
        engine.close()


# -- the rows of now --------------------------------------------------------------------------------------------------

NOW = {
    "inner": "SELECT o.id, o.x, l.most FROM orders o JOIN limits l ON o.k = l.k",
    "inner, using": "SELECT k, id, most FROM orders JOIN limits USING (k)",
    "left": "SELECT o.id, l.most, l.owner FROM orders o LEFT JOIN limits l ON o.k = l.k",
    "left, conditions of one side": (
        "SELECT o.id, l.most FROM orders o LEFT JOIN limits l ON o.k = l.k AND o.x > l.most AND l.owner = 'ann' AND o.x > 3"
    ),
    "left, WHERE": "SELECT o.id, l.most FROM orders o LEFT JOIN limits l ON o.k = l.k WHERE l.k IS NULL OR o.x > l.most",
    "semi": "SELECT o.id FROM orders o SEMI JOIN limits l ON o.k = l.k AND o.x <= l.most",
    "anti": "SELECT id, k FROM orders ANTI JOIN limits USING (k)",
    "table first": "SELECT l.most, o.id FROM limits l JOIN orders o ON o.k = l.k WHERE l.most > 4 AND o.x > 2",
    "table first, right": "SELECT l.most, o.id FROM limits l RIGHT JOIN orders o ON o.k = l.k",
    "comma": "SELECT o.id, l.most FROM orders o, limits l WHERE o.k = l.k AND l.most < 15",
    "several matches": "SELECT o.id, l.k, l.most FROM orders o JOIN limits l ON o.x < l.most",
    "every pair": "SELECT o.id, l.k FROM orders o CROSS JOIN limits l",
    "a projection of a table": "SELECT o.id, v.half FROM orders o JOIN (SELECT k AS kk, most / 2 AS half FROM limits WHERE most > 5) v ON o.k = v.kk",
    "by another column than the key": "SELECT o.id, l.k FROM orders o JOIN limits l ON o.x = l.most",
    "two tables": (
        "SELECT o.id, l.most, w.desk FROM orders o JOIN limits l ON o.k = l.k LEFT JOIN owners w ON l.owner = w.owner"
    ),
    "a reference table": "SELECT o.id, w.desk FROM orders o JOIN owners w ON (o.k = 1) = (w.owner = 'bob')",
    "EXISTS in a filter": "SELECT id FROM orders WHERE k IN (SELECT k FROM limits WHERE most > 9)",
}  # fmt: skip


@pytest.mark.parametrize("name", NOW)
def test_each_tick_joins_with_the_rows_of_now(name, tmp_path):
    data, query = world(1), NOW[name]
    plan = plan_of(query, data)
    assert any(isinstance(n, TableJoin) for n in walk(plan.root))
    assert plan.changelog is None
    for seed in (1, 2, 3):
        count = 0
        for outcome, orders, limits in ticks(plan, data, random.Random(seed), tmp_path if seed == 3 else None):
            assert comparable(outcome.rows.to_pylist()) == duck(query, data.relations(orders, limits))
            count += outcome.rows.num_rows
        assert count


def test_equal_rows_of_a_bag_join_as_often_as_they_are_there():
    data = world(1, limits=3)
    same = {"k": 1, "most": 5, "owner": "ann", "ts": BASE_US}
    data.limits, data.ops = pa.Table.from_pylist([same] * 3, schema=LIMITS), ["insert", "insert", "delete"]
    engine = JobEngine(plan_of("SELECT o.id, b.most FROM orders o JOIN bag b ON o.k = b.k", data))
    one = pa.Table.from_pylist([{"id": 7, "k": 1, "x": 0, "ts": BASE_US}], schema=ORDERS)
    order = World(one, data.limits, data.ops)
    for n, expected in enumerate((1, 2, 1)):
        engine.tick({"limits": [data.batch("limits", n, n + 1)]})
        assert engine.tick({"orders": [order.batch("orders", 0, 1)]}).rows.num_rows == expected
    engine.close()


def test_what_was_joined_stays_and_time_is_the_streams_alone():
    data = world(2)
    query = "SELECT l.most, window_end, COUNT(*) AS n FROM orders o JOIN limits l ON o.k = l.k GROUP BY l.most, TUMBLE(o.ts, INTERVAL '5' SECOND)"
    plan = plan_of(query, data)
    first = {}
    for seed in (1, 2):
        joined, windows = [], []
        plain = plan_of("SELECT o.ts, l.most FROM orders o JOIN limits l ON o.k = l.k", data)
        for outcome, _, _ in ticks(plain, data, random.Random(seed)):
            joined += outcome.rows.to_pylist()
        for outcome, _, _ in ticks(plan, data, random.Random(seed)):
            windows += outcome.rows.to_pylist()
        its = duck(
            "SELECT most, time_bucket(INTERVAL 5 SECOND, ts, TIMESTAMP '1970-01-01') + INTERVAL 5 SECOND AS window_end, "
            "COUNT(*) AS n FROM j GROUP BY ALL",
            {"j": pa.Table.from_pylist(joined)},
        )
        assert comparable(windows) == its
        first[seed] = windows
    assert first[1] != first[2], "which row was there depends on the moment: that is what the note tells"


def test_the_moment_is_told_with_what_to_write_instead():
    (note,) = plan_of(NOW["inner"], world(1)).notes
    assert "at the moment it is processed" in note
    assert "l FOR SYSTEM_TIME AS OF o.ts" in note
    assert plan_of("SELECT o.id FROM orders o JOIN owners w ON w.owner = 'ann'", world(1)).notes == ()


def test_a_row_that_cannot_be_computed_leaves_the_table_as_it_was():
    data = world(3)
    query = "SELECT o.id, l.most FROM orders o JOIN limits l ON o.k = l.k AND CAST(CASE WHEN o.id % 7 = 3 THEN 'no' ELSE '1' END AS INTEGER) = 1"
    plan = plan_of(query, data)
    its = "SELECT o.id, l.most FROM orders o JOIN limits l ON o.k = l.k WHERE o.id % 7 <> 3"
    rejected = 0
    for outcome, orders, limits in ticks(plan, data, random.Random(5)):
        assert comparable(outcome.rows.to_pylist()) == duck(its, data.relations(orders, limits))
        rejected += len(outcome.rejected)
    assert rejected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.k, o.id FROM limits l LEFT JOIN orders o ON o.k = l.k",
        "SELECT l.k, o.id FROM orders o FULL JOIN limits l ON o.k = l.k",
        "SELECT l.k FROM limits l ANTI JOIN orders o ON o.k = l.k",
        "SELECT l.k, w.desk FROM limits l JOIN owners w ON l.owner = w.owner",
        "SELECT o.id, g.n FROM orders o JOIN (SELECT k, COUNT(*) AS n FROM limits GROUP BY k) g ON o.k = g.k",
    ],
)
def test_joins_that_keep_rows_of_a_changelog_are_changelogs(query):
    plan = plan_of(query, world(1))
    assert any(isinstance(n, Keyed) for n in walk(plan.root))
    assert plan.changelog is not None


def test_table_state_follows_the_table_not_the_history():
    data = world(4, orders=10, limits=400)
    sizes = []
    engine = JobEngine(plan_of(NOW["inner"], data))
    for n in range(400):
        engine.tick({"limits": [data.batch("limits", n, n + 1)]})
        sizes.append(next(s.state_rows for s in engine.stats() if s.name == "table join"))
    assert max(sizes) <= 5
    engine.close()


# -- the row in force at a time -----------------------------------------------------------------------------------------

VERSIONS = """(SELECT * FROM records QUALIFY row_number() OVER (PARTITION BY k, ts ORDER BY __pos DESC) = 1)"""
AT = {
    "inner": (
        "SELECT o.id, l.most, l.owner FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k",
        f"SELECT o.id, l.most, l.owner FROM orders o ASOF JOIN {VERSIONS} l ON o.k = l.k AND o.ts >= l.ts "
        "WHERE l.op <> 'delete'",
    ),
    "left": (
        "SELECT o.id, l.most FROM orders o LEFT JOIN limits FOR SYSTEM_TIME AS OF o.ts l ON l.k = o.k",
        f"SELECT o.id, CASE WHEN l.op <> 'delete' THEN l.most END AS most FROM orders o ASOF LEFT JOIN {VERSIONS} l "
        "ON o.k = l.k AND o.ts >= l.ts",
    ),
    "TIMESTAMP AS OF, no alias": (
        "SELECT id, limits.most FROM orders JOIN limits TIMESTAMP AS OF orders.ts ON orders.k = limits.k WHERE limits.most > 5",
        f"SELECT o.id, l.most FROM orders o ASOF JOIN {VERSIONS} l ON o.k = l.k AND o.ts >= l.ts "
        "WHERE l.op <> 'delete' AND l.most > 5",
    ),
    "AT, USING": (
        "SELECT k, id, most FROM orders o JOIN limits AT (TIMESTAMP => o.ts) USING (k)",
        f"SELECT o.k, o.id, l.most FROM orders o ASOF JOIN {VERSIONS} l ON o.k = l.k AND o.ts >= l.ts WHERE l.op <> 'delete'",
    ),
    "a stream": (
        "SELECT o.id, p.x FROM orders o LEFT JOIN orders FOR SYSTEM_TIME AS OF o.ts AS p ON o.k = p.x",
        "SELECT o.id, p.x FROM orders o ASOF LEFT JOIN (SELECT * FROM orders QUALIFY row_number() OVER "
        "(PARTITION BY x, ts ORDER BY id DESC) = 1) p ON o.k = p.x AND o.ts >= p.ts",
    ),
    "now and then": (
        "SELECT o.id, l.most FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k "
        "JOIN owners w ON l.owner = w.owner",
        f"SELECT o.id, l.most FROM orders o ASOF JOIN {VERSIONS} l ON o.k = l.k AND o.ts >= l.ts "
        "JOIN owners w ON l.owner = w.owner WHERE l.op <> 'delete'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("disorder_us", [0, 2_000_000], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", AT)
def test_the_version_in_force_equals_batch(name, disorder_us, tmp_path):
    query, oracle = AT[name]
    data = world(6, disorder_us=disorder_us)
    plan = plan_of(query, data, watermark_delay=f"{disorder_us}us")
    records = data.limits.append_column("op", pa.array(data.ops)).append_column("__pos", pa.array(range(len(data.ops))))
    expected = duck(oracle, {"orders": data.orders, "records": records, "owners": OWNERS})
    assert expected
    for seed in (1, 2, 3):
        rows: list[dict[str, Any]] = []
        for outcome, _, _ in ticks(plan, data, random.Random(seed), tmp_path if seed == 3 else None):
            rows += outcome.rows.to_pylist()
            assert outcome.late == 0
        assert comparable(rows) == expected


def _at(*seconds: float) -> list[int]:
    return [BASE_US + int(s * 1e6) for s in seconds]


def test_a_late_version_is_in_force_from_the_watermark_on_unless_a_newer_one_is():
    limits = [{"k": k, "most": m, "owner": None, "ts": ts} for k, m, ts in zip(
        (1, 2, 1, 2), (10, 20, 30, 40), _at(0, 10, 4, 5), strict=True)]  # fmt: skip
    orders = [{"id": n, "k": k, "x": 0, "ts": ts} for n, (k, ts) in enumerate(zip(
        (1, 1, 1, 2), _at(5, 10, 12, 12), strict=True))]  # fmt: skip
    data = World(
        pa.Table.from_pylist(orders, schema=ORDERS), pa.Table.from_pylist(limits, schema=LIMITS), ["upsert"] * 4
    )
    plan = plan_of("SELECT o.id, l.most FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k", data)
    for seed in range(5):
        rows, late = [], 0
        for outcome, _, _ in ticks(plan, data, random.Random(seed)):
            rows += outcome.rows.to_pylist()
            late += outcome.late
        # k = 1 changed at 4 s, told when the table was at 10 s; k = 2 had changed again at 10 s
        assert comparable(rows) == comparable([{"id": i, "most": m} for i, m in ((0, 10), (1, 30), (2, 30), (3, 20))])
        assert late == 1


def test_a_silent_table_does_not_hold_the_stream_back():
    data = world(7, orders=4, limits=1)
    data.ops = ["upsert"]
    plan = plan_of(
        "SELECT o.id, l.most FROM orders o LEFT JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k", data
    )
    engine = JobEngine(plan)
    engine.tick({"limits": [data.batch("limits", 0, 1)]})
    assert engine.tick({"orders": [data.batch("orders", 0, 4)]}).rows.num_rows < 4
    before = engine.watermark_us
    outcome = engine.tick({}, idle=[("limits", 0)])
    assert engine.watermark_us > before
    assert outcome.rows.num_rows + 1 >= 3, "all orders but those at the watermark itself are certain"
    engine.close()


def test_version_state_is_the_keys_not_the_history():
    data = world(8, orders=400, limits=400)
    data.orders = data.orders.set_column(3, "ts", data.limits.column("ts"))
    engine = JobEngine(plan_of(AT["inner"][0], data))
    sizes = []
    for n in range(400):
        engine.tick({"orders": [data.batch("orders", n, n + 1)], "limits": [data.batch("limits", n, n + 1)]})
        sizes.append(next(s.state_rows for s in engine.stats() if s.name == "asof join"))
    assert max(sizes) <= 20, "five keys, and what stands at the watermark itself"
    engine.close()


REFUSED = {
    "SELECT o.id FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.x = l.most": ("table's key (k)", "l.k = …"),
    "SELECT o.id FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k AND o.x < l.most": ("equalities", "WHERE"),
    "SELECT o.id FROM orders o JOIN limits FOR SYSTEM_TIME AS OF o.x AS l ON o.k = l.k": ("not the event time", "o.ts"),
    "SELECT l.k FROM limits FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01' AS l": ("right side of a JOIN", "FROM stream s JOIN"),
    "SELECT o.id FROM orders o RIGHT JOIN limits FOR SYSTEM_TIME AS OF o.ts AS l ON o.k = l.k": ("RIGHT join", "LEFT JOIN"),
    "SELECT o.id FROM orders o JOIN owners FOR SYSTEM_TIME AS OF o.ts AS w ON o.k = 1": ("no history", "leave"),
    "SELECT o.id FROM orders o JOIN bag FOR SYSTEM_TIME AS OF o.ts AS b ON o.k = b.k": ("needs a key", "PRIMARY KEY"),
    "WITH g AS (SELECT k, COUNT(*) AS n FROM orders GROUP BY k) SELECT o.id FROM orders o JOIN g FOR SYSTEM_TIME AS OF o.ts ON o.k = g.k": ("computed", "join the table"),
    "SELECT l.k FROM limits l JOIN limits FOR SYSTEM_TIME AS OF l.ts AS m ON m.k = l.k": ("changelog", "stream on the left"),
}  # fmt: skip


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_at_its_place_with_a_rewrite(query):
    what, instead = REFUSED[query]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(query, world(1))
    assert what in caught.value.message
    assert instead in (caught.value.hint or "")
    assert caught.value.place is not None
