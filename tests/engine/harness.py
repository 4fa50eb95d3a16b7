"""The promise as a function: a query streamed in any batches, disorder and restarts equals DuckDB in batch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from tests.engine.changelog import Changelog
from velostream_nb.core.errors import BindError, did_you_mean
from velostream_nb.core.records import OP, POS, TS, Decoded, pack_position
from velostream_nb.core.schema import StreamSchema, guess_time_column
from velostream_nb.engine.job import JobEngine, Outcome
from velostream_nb.engine.node import OperatorStats
from velostream_nb.sql import plan as plans
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan, StreamInfo
from velostream_nb.sql.planner import plan_job
from velostream_nb.sql.statements import Query, StartJob

Tables = Mapping[str, pa.Table]


@dataclass
class Streams:
    """A catalog of in-memory topics; each table stands in arrival order.

    Attributes:
        keys: topics that are upsert changelogs, by their keys; their tables have a column `OP`.
        views: queries by name.
        reference: rows of reference tables.
    """

    tables: Tables
    options: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    reference: Tables = field(default_factory=dict)

    def view(self, name: str) -> Query | None:
        if name not in self.views:
            return None
        (statement,) = parse(f"START JOB v AS {self.views[name]}").statements
        assert isinstance(statement, StartJob)
        return statement.query

    def stream(self, name: str) -> StreamInfo:
        if name in self.reference:
            rows = self.reference[name]
            return StreamInfo(name, name, StreamSchema(rows.schema), {}, True, rows)
        if name not in self.tables:
            raise BindError(f"unknown stream {name!r}", hint=did_you_mean(name, self.tables))
        schema = self.tables[name].schema
        if name in self.keys:
            columns = schema.remove(schema.get_field_index(OP))
            known = StreamSchema(columns, guess_time_column(columns), self.keys[name], changelog="upsert")
            return StreamInfo(name, name, known, self.options, True)
        return StreamInfo(name, name, StreamSchema(schema, guess_time_column(schema)), self.options)


def plan_of(query: str, tables: Tables | Streams, settings: Mapping[str, str] | None = None) -> JobPlan:
    (statement,) = parse(f"START JOB j AS {query}").statements
    assert isinstance(statement, StartJob)
    streams = tables if isinstance(tables, Streams) else Streams(tables, settings or {})
    return plan_job(statement, streams, settings or {})


def decoded(table: pa.Table, start: int, stop: int, partition: int = 0) -> Decoded:
    """Rows [start, stop) of a topic as a codec would hand them over."""
    rows = table.slice(start, stop - start)
    time = guess_time_column(table.schema)
    ts = rows.column(time).cast(pa.int64()).combine_chunks() if time else pa.array([0] * rows.num_rows, pa.int64())
    pos = pa.array([pack_position(partition, o) for o in range(start, stop)], pa.int64())
    batch = rows.append_column(TS, ts).append_column(POS, pos).combine_chunks()
    whole = batch.to_batches()[0] if batch.num_rows else pa.RecordBatch.from_pylist([], schema=batch.schema)
    return Decoded(whole)


def partitioned(tables: Tables, partitions: int, rng: random.Random) -> dict[str, list[pa.Table]]:
    """Each topic's rows dealt to partitions at random, in arrival order within each, with `TS` and `POS`."""
    dealt = {}
    for topic, table in tables.items():
        owner = np.array([rng.randrange(partitions) for _ in range(table.num_rows)], dtype=np.int64)
        offset = np.zeros(table.num_rows, dtype=np.int64)
        for p in range(partitions):
            offset[owner == p] = np.arange((owner == p).sum())
        time = guess_time_column(table.schema)
        full = table.append_column(TS, table.column(time).cast(pa.int64()))
        full = full.append_column(POS, pa.array((owner << 48) | offset))
        dealt[topic] = [full.filter(pa.array(owner == p)) for p in range(partitions)]
    return dealt


def stream_partitions(plan: JobPlan, dealt: Mapping[str, list[pa.Table]], rng: random.Random) -> Run:
    """Run the plan over partitioned topics: every tick takes a few rows of some partitions."""
    engine = JobEngine(plan)
    done = {(t, p): 0 for t in engine.topics for p in range(len(dealt[t]))}
    run = Run([], 0, 0, 0)
    # each partition is heard of before time moves, as a broker knows its partitions from the start
    first = True
    try:
        while any(done[t, p] < dealt[t][p].num_rows for t, p in done):
            batches: dict[str, list[Decoded]] = {}
            for topic, p in done:
                if not first and rng.random() < 0.4:
                    continue
                stop = min(dealt[topic][p].num_rows, done[topic, p] + (1 if first else rng.choice([1, 2, 9, 60])))
                chunk = dealt[topic][p].slice(done[topic, p], stop - done[topic, p]).combine_chunks()
                if chunk.num_rows:
                    batches.setdefault(topic, []).append(Decoded(chunk.to_batches()[0]))
                done[topic, p] = stop
            first = False
            outcome = engine.tick(batches)
            run.rows.extend(outcome.rows.to_pylist())
            run.late += outcome.late
        run.rows.extend(engine.tick({}, final=True).rows.to_pylist())
    finally:
        engine.close()
    return run


@dataclass
class Run:
    """All output rows of one run, in the order they came, and the counts."""

    rows: list[dict[str, Any]]
    late: int
    rejected: int
    peak_state: int


def stream(
    plan: JobPlan,
    tables: Tables,
    *,
    batch_rows: int | None,
    rng: random.Random,
    restart: Path | None = None,
    final: bool = True,
    after_tick: Callable[[list[dict[str, Any]], Mapping[str, int]], None] | None = None,
) -> Run:
    """Run the plan over the tables: batches of `batch_rows` (None: of random sizes), topics interleaved at random.

    With `restart` the engine is saved, thrown away and loaded again: after a tick without rows, and at random ticks.
    `after_tick` gets the rows of every tick, and how many rows of each topic were taken so far.
    """
    engine = JobEngine(plan, state_dir=str(restart) if restart else None)
    done = dict.fromkeys(engine.topics, 0)
    run = Run([], 0, 0, 0)

    def take(outcome: Outcome) -> None:
        rows = outcome.rows.to_pylist()
        run.rows.extend(rows)
        if after_tick is not None:
            after_tick(rows, done)
        run.late += outcome.late
        run.rejected += len(outcome.rejected)

    try:
        if restart is not None:
            take(engine.tick({}))
            engine = restarted(engine, plan, restart)
        while any(done[t] < tables[t].num_rows for t in done):
            batches: dict[str, list[Decoded]] = {}
            for topic in done:
                size = batch_rows if batch_rows is not None else rng.choice([0, 1, 2, 3, 17, 400])
                if len(done) > 1 and rng.random() < 0.3:
                    continue
                stop = min(tables[topic].num_rows, done[topic] + size)
                batches[topic] = [decoded(tables[topic], done[topic], stop)]
                done[topic] = stop
            take(engine.tick(batches))
            run.peak_state = max(run.peak_state, sum(s.state_rows for s in engine.stats()))
            if restart is not None and rng.random() < 0.3:
                engine = restarted(engine, plan, restart)
        if final:
            take(engine.tick({}, final=True))
    finally:
        engine.close()
    return run


def restarted(engine: JobEngine, plan: JobPlan, folder: Path) -> JobEngine:
    """Another engine in the state of one that is saved and closed."""
    path = folder / "snapshot.duckdb"
    engine.save(path)
    engine.close()
    found = JobEngine(plan, state_dir=str(folder))
    found.load(path)
    return found


def stream_peaks(plan: JobPlan, tables: Tables, batch_rows: int) -> list[list[OperatorStats]]:
    """What every operator held after each tick, all topics advancing together; the rows that come out are let go."""
    engine = JobEngine(plan)
    peaks = []
    try:
        for start in range(0, max(tables[t].num_rows for t in engine.topics), batch_rows):
            engine.tick({t: [decoded(tables[t], start, start + batch_rows)] for t in engine.topics})
            peaks.append(engine.stats())
    finally:
        engine.close()
    return peaks


def batch(sql: str, tables: Tables | Streams) -> list[dict[str, Any]]:
    """DuckDB's answer over the same rows; `__ts` and `__pos` are there to break ties as the engine does.

    A topic with a key is its newest rows, without deleted keys.
    """
    streams = tables if isinstance(tables, Streams) else Streams(tables)
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET asof_loop_join_threshold = 0")
        for name, table in streams.tables.items():
            if POS in table.column_names:
                con.register(name, table)
                continue
            time = guess_time_column(table.schema)
            ts = table.column(time).cast(pa.int64()) if time else pa.array([0] * table.num_rows, pa.int64())
            full = table.append_column(TS, ts).append_column(POS, pa.array(np.arange(table.num_rows)))
            if name in streams.keys:
                con.register(f"{name}__log", full)
                newest = f"ROW_NUMBER() OVER (PARTITION BY {', '.join(streams.keys[name])} ORDER BY {POS} DESC) = 1"
                log = f"SELECT * FROM {name}__log QUALIFY {newest}"
                con.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE ({OP}) FROM ({log}) WHERE {OP} <> 'delete'")
            else:
                con.register(name, full)
        for name, table in streams.reference.items():
            con.register(name, table)
        for name, query in streams.views.items():
            con.execute(f"CREATE VIEW {name} AS {query}")
        found: list[dict[str, Any]] = con.sql(sql).to_arrow_table().to_pylist()
        return found


def _until(streams: Streams, done: Mapping[str, int]) -> Streams:
    """The topics as far as they were taken."""
    taken = {name: table.slice(0, done.get(name, 0)) for name, table in streams.tables.items()}
    return replace(streams, tables=taken)


_OF_PREFIXES = (
    plans.Source, plans.Project, plans.Table, plans.AsChanges, plans.Union, plans.Group, plans.Keyed, plans.TopN, plans.Latest,
)  # fmt: skip
"""Nodes that wait for no watermark: a changelog of them has a batch answer at every tick."""
_MOST_LOOKS = 30
"""Ticks of one run whose state is compared with batch, evenly spread."""


def has_answer_at_every_tick(plan: JobPlan) -> bool:
    return plan.changelog is not None and all(isinstance(node, _OF_PREFIXES) for node in plans.walk(plan.root))


class _Judge:
    """Folds a run's changelog tick by tick and holds it against batch over the prefix."""

    def __init__(self, plan: JobPlan, oracle: str, streams: Streams, ticks: int) -> None:
        self.changes = Changelog(plan.key)
        self._looks = has_answer_at_every_tick(plan)
        self._oracle = oracle
        self._streams = streams
        self._every = max(1, ticks // _MOST_LOOKS)
        self._tick = 0

    def tick(self, rows: list[dict[str, Any]], done: Mapping[str, int]) -> None:
        self.changes.take([(row[OP], {k: v for k, v in row.items() if k != OP}) for row in rows], f"tick {self._tick}")
        self._tick += 1
        if self._looks and self._tick % self._every == 0:
            expected = comparable(batch(self._oracle, _until(self._streams, done)))
            assert comparable(self.changes.rows()) == expected, (
                f"tick {self._tick} differs from batch over {dict(done)}"
            )


def fold(rows: Sequence[dict[str, Any]], key: tuple[str, ...]) -> list[dict[str, Any]]:
    """A changelog folded by its key."""
    state: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        change = dict(row)
        op = change.pop(OP)
        identity = tuple(_frozen(change[k]) for k in key)
        if op == "delete":
            state.pop(identity, None)
        else:
            state[identity] = change
    return list(state.values())


def _frozen(value: Any) -> Any:
    """A value of any type as a key: every NaN is one, nested values have parts."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _interval(value: Any) -> tuple[str, int]:
    """Intervals are equal where DuckDB finds them so: a month is 30 days, whichever of them stands for the group."""
    return "interval", ((value.months * 30 + value.days) * 86_400 * 10**9 + value.nanoseconds) // 1_000


def comparable(rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows as a sorted bag: column order by name, whole numbers alike, floats to 9 digits (sums may differ in the last)."""
    return sorted((tuple(_plain(row[k]) for k in sorted(row)) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if value == 0 or math.isinf(value):
            return float(value) + 0.0
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return tuple(_plain(v) for v in value)
    if isinstance(value, dict):
        return tuple((k, _plain(v)) for k, v in sorted(value.items()))
    return value


def assert_one_answer(
    query: str,
    oracle: str,
    tables: Tables | Streams,
    *,
    settings: Mapping[str, str] | None = None,
    seed: int = 0,
    tmp_path: Path | None = None,
    batches: Sequence[int | None] = (1, 7, 1_000, 10**9, None),
    state_rows: int | None = None,
) -> list[dict[str, Any]]:
    """The streamed answer equals the oracle for every batching, and after restarts; returns the answer.

    A changelog is folded tick by tick, each change checked to be one, and compared with batch over the prefix wherever
    no watermark is waited for.

    Args:
        tables: topics; `Streams` to have tables with keys, reference tables and views among them.
        state_rows: the most rows that all operators may hold together at any moment.
    """
    streams = tables if isinstance(tables, Streams) else Streams(tables, settings or {})
    expected = comparable(batch(oracle, streams))
    plan = plan_of(query, streams, settings)
    rows: list[dict[str, Any]] = []
    runs = [(size, None) for size in batches] + ([(None, tmp_path)] if tmp_path is not None else [])
    for number, (size, restart) in enumerate(runs):
        what = "a restart changed the answer" if restart else f"batches of {size} differ from DuckDB in batch"
        most = max(table.num_rows for table in streams.tables.values())
        judge = _Judge(plan, oracle, streams, most // (size or 70))
        run = stream(
            plan,
            streams.tables,
            batch_rows=size,
            rng=random.Random(seed * 1_000 + number),
            restart=restart,
            after_tick=judge.tick if plan.changelog else None,
        )
        rows = judge.changes.rows() if plan.changelog else run.rows
        assert comparable(rows) == expected, what
        assert run.late == 0
        assert run.rejected == 0
        assert state_rows is None or run.peak_state <= state_rows, f"{run.peak_state} rows held, {state_rows} allowed"
    return rows
