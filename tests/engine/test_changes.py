"""Changelogs: folded after every tick, a query's output equals DuckDB over the records read so far."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.engine import data
from tests.engine.changelog import Changelog
from tests.engine.harness import comparable, restarted
from velostream_nb.core.errors import BindError
from velostream_nb.core.records import OP, POS, TS, Decoded, pack_position
from velostream_nb.core.schema import StreamSchema, guess_time_column
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan, StreamInfo
from velostream_nb.sql.planner import plan_job


@dataclass
class Topic:
    """Records in arrival order; `ops` makes it a changelog: 'upsert'/'delete' with a key, 'insert'/'delete' without."""

    rows: pa.Table
    key: tuple[str, ...] = ()
    ops: list[str] | None = None
    reference: bool = False

    @property
    def changelog(self) -> str | None:
        if self.ops is None and not self.key:
            return None
        return "upsert" if self.key else "retract"

    def info(self, name: str) -> StreamInfo:
        columns = self.rows.schema
        schema = StreamSchema(columns, guess_time_column(columns), self.key, changelog=self.changelog)
        return StreamInfo(name, name, schema, table=bool(self.key), rows=self.rows if self.reference else None)

    def batch(self, start: int, stop: int) -> Decoded:
        rows = self.rows.slice(start, stop - start)
        time = guess_time_column(rows.schema)
        ts = rows.column(time).cast(pa.int64()) if time else pa.array(range(start, stop), pa.int64())
        full = rows.append_column(TS, ts)
        full = full.append_column(POS, pa.array([pack_position(0, o) for o in range(start, stop)], pa.int64()))
        if self.ops is not None:
            full = full.append_column(OP, pa.array(self.ops[start:stop], pa.string()))
        return Decoded(full.combine_chunks().to_batches()[0])

    def relation(self, stop: int) -> pa.Table:
        """What DuckDB sees of the first `stop` records."""
        rows = self.rows.slice(0, stop).to_pylist()
        if self.changelog is None or self.reference:
            return self.rows if self.reference else self.rows.slice(0, stop)
        ops = (self.ops or ["upsert"] * self.rows.num_rows)[:stop]
        kept: list[dict[str, Any]] = []
        for row, op in zip(rows, ops, strict=True):
            if self.key:
                kept = [k for k in kept if any(k[c] != row[c] for c in self.key)]
            elif op == "delete":
                kept.remove(row)
            if op != "delete":
                kept.append(row)
        return pa.Table.from_pylist(kept, schema=self.rows.schema)


class Topics(dict[str, Topic]):
    def view(self, name: str) -> None:
        return None

    def stream(self, name: str) -> StreamInfo:
        if name not in self:
            raise BindError(f"unknown stream {name!r}")
        return self[name].info(name)


def plan_of(query: str, topics: Topics, settings: Mapping[str, str] | None = None) -> JobPlan:
    (statement,) = parse(f"START JOB j AS {query}").statements
    return plan_job(statement, topics, settings or {})


def answer(sql: str, topics: Topics, done: Mapping[str, int]) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"threads": 1}) as con:
        for name, topic in topics.items():
            con.register(name, topic.relation(done.get(name, 0)))
        return comparable(con.sql(sql).to_arrow_table().to_pylist())


def follow(
    query: str,
    topics: Topics,
    *,
    oracle: str | None = None,
    seed: int = 0,
    settings: Mapping[str, str] | None = None,
    tmp_path: Any = None,
) -> tuple[JobPlan, list[dict[str, Any]]]:
    """Run the query in random ticks; after each the folded output equals DuckDB's answer. Gives all the changes.

    With `tmp_path` the engine is saved, thrown away and loaded again: after a tick without rows, and at random ticks.
    """
    plan = plan_of(query, topics, settings)
    rng = random.Random(seed)
    engine = JobEngine(plan, state_dir=str(tmp_path) if tmp_path else None)
    done = dict.fromkeys(engine.topics, 0)
    reader, changes = Changelog(plan.key), []
    try:
        if tmp_path is not None:
            outcome = engine.tick({})
            changes += outcome.rows.to_pylist()
            reader.take(_changes(outcome.rows), "before any row")
            engine = restarted(engine, plan, tmp_path)
        while any(done[t] < topics[t].rows.num_rows for t in done):
            batches = {}
            for name in done:
                stop = min(topics[name].rows.num_rows, done[name] + rng.choice([0, 1, 2, 7, 40]))
                if stop > done[name]:
                    batches[name] = [topics[name].batch(done[name], stop)]
                done[name] = stop
            if not batches:
                continue
            outcome = engine.tick(batches)
            assert not outcome.rejected
            changes += outcome.rows.to_pylist()
            reader.take(_changes(outcome.rows), f"after {done}")
            assert comparable(reader.rows()) == answer(oracle or query, topics, done), f"after {done}"
            if tmp_path is not None and rng.random() < 0.2:
                engine = restarted(engine, plan, tmp_path)
    finally:
        engine.close()
    return plan, changes


def _changes(rows: pa.Table) -> list[tuple[str, dict[str, Any]]]:
    return [(row.pop(OP, "insert"), row) for row in rows.to_pylist()]


def _limits(rng: random.Random, rows: int = 60) -> Topic:
    schema = pa.schema([("symbol", pa.string()), ("most", pa.int64()), ("timestamp", pa.timestamp("us"))])
    records = [
        {"symbol": rng.choice(data.SYMBOLS), "most": rng.choice([None, 100, 120, 2_000]), "timestamp": ts}
        for ts in data.times(rng, rows)
    ]
    ops = [rng.choice(["upsert", "upsert", "delete"]) for _ in records]
    return Topic(data.table(records, schema), ("symbol",), ops)


@pytest.fixture
def topics() -> Topics:
    rng = random.Random(11)
    bag = pa.table({"symbol": ["AAPL", "AAPL", "GOOGL", "AAPL", "GOOGL", "AAPL"], "n": [1, 1, 2, 1, 2, 3]})
    return Topics(
        market_data=Topic(data.market(rng, 160, disorder_us=2_000_000)),
        positions=Topic(data.positions(rng, 90, disorder_us=2_000_000)),
        limits=_limits(rng),
        bag=Topic(bag, ops=["insert", "insert", "insert", "delete", "delete", "insert"]),
        names=Topic(
            pa.table({"symbol": ["AAPL", "GOOGL"], "name": ["Apple", "Alphabet"]}), reference=True, key=("symbol",)
        ),
    )


BY_SYMBOL = "SELECT symbol, count(*) AS n, sum(volume) AS v FROM market_data GROUP BY symbol"

SAME = {
    "group": BY_SYMBOL,
    "group, states of many kinds": "SELECT exchange, avg(price) AS a, min(price) AS lo, max(symbol) AS hi, "
    "count(price) FILTER (WHERE volume > 100) AS c, stddev(price) AS d, median(price) AS m FROM market_data "
    "GROUP BY exchange",
    "group, rows kept": "SELECT symbol, count(DISTINCT volume) AS n, list(price ORDER BY price, exchange) AS l "
    "FROM market_data GROUP BY symbol",
    "no group is one row": "SELECT count(*) AS n, sum(volume) AS v FROM market_data",
    "key not selected": "SELECT count(*) AS n FROM market_data GROUP BY symbol",
    "having": "SELECT symbol, count(*) AS n FROM market_data GROUP BY symbol HAVING count(*) % 3 = 0",
    "expression keys": "SELECT price > 100 AS dear, upper(exchange) AS e, count(*) AS n FROM market_data GROUP BY 1, 2",
    "group of groups": f"SELECT n % 4 AS q, count(*) AS c, max(symbol) AS s FROM ({BY_SYMBOL}) GROUP BY 1",
    "total of groups": f"SELECT sum(n) AS n, min(v) AS v FROM ({BY_SYMBOL})",
    "group of a table": "SELECT most, count(*) AS n FROM limits GROUP BY most",
    "count of a table": "SELECT count(*) AS n, max(most) AS m FROM limits",
    "a table itself": "SELECT symbol, most FROM limits WHERE most > 100",
    "a bag itself": "SELECT * FROM bag",
    "a bag grouped": "SELECT symbol, count(*) AS n, sum(n) AS s FROM bag GROUP BY symbol",
    "distinct": "SELECT DISTINCT symbol, volume FROM market_data",
    "distinct of groups": f"SELECT DISTINCT n % 5 AS n FROM ({BY_SYMBOL})",
    "union": "SELECT symbol FROM market_data UNION SELECT trader_id FROM positions",
    "union all of changes": f"SELECT symbol, n FROM ({BY_SYMBOL}) UNION ALL SELECT trader_id, position_size FROM positions",
    "union all by name": "SELECT symbol, volume FROM market_data UNION ALL BY NAME SELECT symbol, trader_id FROM positions",
    "except": "SELECT symbol FROM market_data EXCEPT SELECT symbol FROM positions WHERE position_size > 15000",
    "except all": "SELECT symbol FROM market_data EXCEPT ALL SELECT symbol FROM positions",
    "intersect": "SELECT symbol FROM market_data INTERSECT SELECT symbol FROM limits",
    "intersect all": "SELECT symbol FROM market_data INTERSECT ALL SELECT symbol FROM positions",
    "top of all": "SELECT symbol, price FROM market_data ORDER BY price DESC NULLS LAST, timestamp, volume, exchange, "
    "symbol, bid_price, ask_price LIMIT 5",
    "top with offset": f"SELECT symbol, v FROM ({BY_SYMBOL}) ORDER BY v DESC NULLS FIRST, symbol LIMIT 2 OFFSET 1",
    "top of a table": "SELECT symbol, most FROM limits ORDER BY most DESC NULLS LAST, symbol LIMIT 2",
    "join of groups": f"SELECT a.symbol, a.n, b.c FROM ({BY_SYMBOL}) a JOIN "
    "(SELECT symbol, count(*) AS c FROM positions GROUP BY symbol) b ON a.symbol = b.symbol",
    "left join of groups": f"SELECT a.symbol, a.n, b.c FROM ({BY_SYMBOL}) a LEFT JOIN (SELECT symbol, count(*) AS c "
    "FROM positions WHERE position_size > 0 GROUP BY symbol) b ON a.symbol = b.symbol AND a.n > b.c",
    "full join of groups": "SELECT a.symbol AS s, b.symbol AS t, a.n, b.c FROM (SELECT symbol, count(*) AS n FROM "
    "market_data WHERE price > 103 GROUP BY symbol) a FULL JOIN (SELECT symbol, count(*) AS c FROM positions "
    "WHERE position_size > 12000 GROUP BY symbol) b ON a.symbol = b.symbol",
    "join of tables": "SELECT a.symbol, a.most, b.most AS other FROM limits a JOIN limits b ON a.most = b.most",
    "stream with groups": f"SELECT m.symbol, m.price, g.n FROM market_data m JOIN ({BY_SYMBOL}) g ON m.symbol = g.symbol",
    "reference table": "SELECT n.name, count(*) AS c FROM names n JOIN limits l ON n.symbol = l.symbol GROUP BY n.name",
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_every_tick_equals_batch(case, topics, tmp_path):
    follow(SAME[case], topics, seed=1)
    follow(SAME[case], topics, seed=2, tmp_path=tmp_path)


@pytest.mark.parametrize("case", ["group", "group of groups", "distinct", "join of groups", "top of a table"])
def test_retractions_say_the_same(case, topics):
    plan, changes = follow(SAME[case], topics, settings={"changelog": "retract"})
    assert plan.changelog == "retract"
    assert {c[OP] for c in changes} == {"insert", "delete"} if case != "distinct" else {"insert"}


def test_a_changelog_says_how_it_is_keyed(topics):
    keys = {
        "group": ("symbol",),
        "no group is one row": (),
        "distinct": ("symbol", "volume"),
        "having": ("symbol",),
        "join of groups": ("symbol",),
        "a table itself": ("symbol",),
    }
    for case, key in keys.items():
        plan = plan_of(SAME[case], topics)
        assert (plan.changelog, plan.key) == ("upsert", key), case
    for case in ("key not selected", "a bag itself", "except all"):
        assert plan_of(SAME[case], topics).changelog == "retract"


def test_unbounded_state_is_told_and_bounded_by_ttl(topics):
    plan = plan_of(BY_SYMBOL, topics)
    assert any("state.ttl" in note for note in plan.notes)
    assert not any("state.ttl" in note for note in plan_of(BY_SYMBOL, topics, {"state.ttl": "1h"}).notes)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT key, count(*) AS n FROM keys GROUP BY key",
        "SELECT key, count(DISTINCT timestamp) AS n FROM keys GROUP BY key",
        "SELECT n, count(*) AS c FROM (SELECT key, count(*) AS n FROM keys GROUP BY key) GROUP BY n",
        "SELECT DISTINCT key FROM keys",
    ],
)
def test_state_of_ever_new_keys_stays_flat_with_a_ttl(query):
    rows, step_us = 40_000, 1_000_000
    keys = pa.table(
        {
            "key": pa.array(range(rows), pa.int64()),
            "timestamp": pa.array([data.BASE_US + i * step_us for i in range(rows)], pa.timestamp("us")),
        }
    )
    topics = Topics(keys=Topic(keys))
    engine = JobEngine(plan_of(query, topics, {"state.ttl": "500s"}))
    try:
        sizes = []
        for start in range(0, rows, 500):
            engine.tick({"keys": [topics["keys"].batch(start, start + 500)]})
            sizes.append(sum(s.state_rows for s in engine.stats()))
        half = len(sizes) // 2
        assert max(sizes[half:]) <= max(sizes[:half]) < 8_000
    finally:
        engine.close()
