"""One case against DuckDB: streamed tick by tick, with restarts, and compared at the end and on the way."""

from __future__ import annotations

import random
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tests.engine.changelog import Changelog
from tests.engine.harness import comparable
from tests.fuzz.arrivals import DELAY_US, SCHEMAS, Arrival, Log, random_arrivals, ticks
from tests.fuzz.draw import Draw
from tests.fuzz.grammar import Query, query
from velostream_nb.core.errors import BindError, SqlError, UnsupportedError
from velostream_nb.core.records import OP
from velostream_nb.core.schema import StreamSchema
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.parse import parse
from velostream_nb.sql.plan import JobPlan, StreamInfo
from velostream_nb.sql.planner import plan_job
from velostream_nb.sql.statements import StartJob


@dataclass(frozen=True)
class Case:
    """A query, as choices, and the rows for it.

    Attributes:
        retract: ask for a changelog of retractions.
    """

    choices: tuple[int, ...]
    arrivals: tuple[Arrival, ...]
    retract: bool = False

    def query(self) -> Query:
        return query(Draw(self.choices))


@dataclass(frozen=True)
class Verdict:
    """What became of a case: 'ok', 'refused' or 'failed', and why."""

    kind: str
    reason: str = ""
    tags: tuple[str, ...] = field(default=())


class Catalog:
    """The topics of `arrivals`."""

    def view(self, name: str) -> None:
        return None

    def stream(self, name: str) -> StreamInfo:
        if name not in SCHEMAS:
            raise BindError(f"unknown stream {name!r}")
        options = {"watermark.delay": f"{DELAY_US // 1_000}ms"}
        if name == "t":
            return StreamInfo(name, name, StreamSchema(SCHEMAS[name], "ts", ("k",), changelog="upsert"), options, True)
        return StreamInfo(name, name, StreamSchema(SCHEMAS[name], "ts"), options)


def random_case(seed: int) -> Case:
    """The case of a seed."""
    rng = random.Random(seed)
    draw = Draw(rng)
    asked = query(draw)
    arrivals = random_arrivals(rng, asked.topics)
    if asked.tables_first:
        arrivals = tables_first(arrivals)
    return Case(tuple(draw.made), tuple(arrivals), rng.random() < 0.3)


def tables_first(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """The table's records before all others, in a tick of their own."""
    first = [a for a in arrivals if a.topic == "t"]
    rest = [a for a in arrivals if a.topic != "t"]
    return [*first[:-1], *(replace(a, ends_tick=True) for a in first[-1:]), *rest]


def judge(case: Case) -> Verdict:
    """Run a case."""
    asked = case.query()
    try:
        plan = plan_of(asked.sql, retract=case.retract)
    except (SqlError, RecursionError) as error:
        kind = "refused" if isinstance(error, UnsupportedError) else "failed"
        if kind == "failed" and not _runs(asked.oracle):
            kind = "refused"
        return Verdict(kind, f"{type(error).__name__}: {error}", asked.tags)
    except Exception:  # noqa: BLE001 (whatever the planner raises beside its own errors is a finding)
        return Verdict("failed", traceback.format_exc(limit=-4), asked.tags)
    try:
        with tempfile.TemporaryDirectory() as folder:
            _stream(case, asked, plan, Path(folder))
    except UnsupportedError as error:
        return Verdict("refused", str(error), asked.tags)
    except AssertionError as error:
        return Verdict("failed", str(error), asked.tags)
    except Exception:  # noqa: BLE001 (an engine that raises is a finding)
        return Verdict("failed", traceback.format_exc(limit=-4), asked.tags)
    return Verdict("ok", tags=asked.tags)


def plan_of(sql: str, *, retract: bool) -> JobPlan:
    """The plan of a query over the topics of `arrivals`."""
    (statement,) = parse(f"START JOB j AS {sql}").statements
    assert isinstance(statement, StartJob)
    settings = {"changelog": "retract"} if retract else {}
    return plan_job(statement, Catalog(), settings)


def _runs(oracle: str) -> bool:
    try:
        _batch(oracle, Log(()).tables)
    except duckdb.Error:
        return False
    return True


def _stream(case: Case, asked: Query, plan: JobPlan, folder: Path) -> None:
    log = Log(case.arrivals)
    engine = JobEngine(plan, state_dir=str(folder))
    for topic in engine.topics:
        engine.expect(topic, log.partitions(topic))
    changes = Changelog(plan.key)
    rows: list[dict[str, Any]] = []

    def take(batches: Mapping[str, Any], where: str, *, final: bool = False) -> None:
        outcome = engine.tick({t: b for t, b in batches.items() if t in engine.topics}, final=final)
        assert not outcome.late, f"{where}: {outcome.late} rows count as late, and none is"
        assert not outcome.rejected, f"{where}: rejected: {outcome.rejected[0].reason}"
        came = outcome.rows.to_pylist()
        if plan.changelog:
            changes.take([(row.pop(OP), row) for row in came], where)
        else:
            assert all(OP not in row for row in came), f"{where}: an append-only output with changes"
            rows.extend(came)

    try:
        for number, tick in enumerate(ticks(case.arrivals)):
            take(log.take(tick), f"tick {number}")
            if asked.prefix and plan.changelog:
                _compare(changes.rows(), asked, log.so_far(), f"tick {number}")
            if tick[-1].restarts:
                engine.save(folder / "snapshot.duckdb")
                engine.close()
                engine = JobEngine(plan, state_dir=str(folder))
                for topic in engine.topics:
                    engine.expect(topic, log.partitions(topic))
                engine.load(folder / "snapshot.duckdb")
        take({}, "the end", final=True)
        _compare(changes.rows() if plan.changelog else rows, asked, log.tables, "the end")
    finally:
        engine.close()


def _compare(got: Sequence[dict[str, Any]], asked: Query, tables: Mapping[str, pa.Table], where: str) -> None:
    one, two = comparable(got), comparable(_batch(asked.oracle, tables))
    if one != two:
        extra = [row for row in one if row not in two][:5]
        missing = [row for row in two if row not in one][:5]
        names = sorted(got[0]) if got else []
        raise AssertionError(
            f"{where}: {len(one)} rows streamed, {len(two)} in batch\n  columns: {names}\n"
            f"  only streamed: {extra}\n  only in batch: {missing}"
        )


def _batch(oracle: str, tables: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("SET asof_loop_join_threshold = 0")
        for name, held in tables.items():
            con.register(name, held)
        found: list[dict[str, Any]] = con.sql(oracle).to_arrow_table().to_pylist()
        return found
