"""What DuckDB answers in batch to the queries of a case, over all of its rows in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from tests.driven import DrivenSession
from tests.golden.case import Case
from tests.golden.rows import bag, table_lines
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import UnknownTopicError
from velostream_nb.core.records import OP, POS, TS
from velostream_nb.jobs.runs import coalesce
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import StartJob

LIMIT = 2**62


@dataclass(frozen=True)
class Answers:
    """By job: rows as they came out (folded), and what DuckDB gives; jobs that have no oracle are missing."""

    streamed: Mapping[str, list[str]]
    batch: Mapping[str, list[str]]

    def disagreement(self) -> str | None:
        """The first job whose answers differ, in words; None when all agree."""
        for job, expected in self.batch.items():
            got, wanted = bag(self.streamed[job]), bag(expected)
            if got != wanted:
                only_got = [str(dict(r)) for r in got if r not in wanted]
                only_wanted = [str(dict(r)) for r in wanted if r not in got]
                lines = [f"job {job} and its oracle differ ({len(got)} rows streamed, {len(wanted)} in batch)"]
                lines += [f"  only streamed: {r}" for r in only_got] + [f"  only in batch: {r}" for r in only_wanted]
                return "\n".join(lines)
        return None


def answers(case: Case, session: DrivenSession, written: Mapping[str, list[str]]) -> Answers:
    """Ask DuckDB.

    Args:
        written: rows that stand in each topic that jobs wrote, as lines, with ``op`` where they are changes.
    """
    inputs = _tables(session, set(written))
    streamed, batch = {}, {}
    if "" in case.no_oracle:
        return Answers({}, {})
    jobs = list(session.ticker.jobs.values())
    for job in jobs:
        sql = case.oracles.get(job.name) or (case.oracles.get("") if len(jobs) == 1 else None)
        if job.name in case.no_oracle or job.error is not None:
            continue
        (statement,) = parse(job.spec.sql).statements
        if sql is None and isinstance(statement, StartJob):
            found = _ask(case, statement.query.tree.sql("duckdb"), inputs, hidden=False)
        else:
            found = _ask(case, sql, inputs, hidden=True) if sql is not None else None
        if found is not None:
            streamed[job.name] = written.get(job.spec.output, [])
            batch[job.name] = table_lines(found)
    unknown = set(case.oracles) - {""} - {job.name for job in jobs}
    assert not unknown, f"{case.name}: an oracle for {unknown}, which is no job at the end"
    return Answers(streamed, batch)


def _ask(case: Case, sql: str, inputs: Mapping[str, pa.Table], *, hidden: bool) -> pa.Table | None:
    """The answer; None when the query is not DuckDB's and nobody wrote an oracle (`hidden` False)."""
    with duckdb.connect(config={"threads": 1}) as con:
        for name, table in inputs.items():
            own = [c for c in table.column_names if c not in (TS, POS)]
            con.register(name, table if hidden else table.select(own))
        for text in _views(case):
            con.execute(text)
        try:
            return con.sql(sql).to_arrow_table()
        except duckdb.Error:
            if hidden:
                raise
            return None


def _views(case: Case) -> list[str]:
    scripts = ["\n".join(i.data) for step in case.steps for i in step.actions() if i.kind == "sql" and not i.name]
    statements = [statement for script in scripts for statement in parse(script).statements]
    return [s.text for s in statements if type(s).__name__ == "CreateView"]


def _tables(session: DrivenSession, written: set[str]) -> dict[str, pa.Table]:
    """Every stream, table and topic by its names, with `TS` and `POS` where records are appended."""
    found: dict[str, pa.Table] = {}
    for info in session.topics():
        found[info.name] = _written(session, info.name) if info.name in written else _appended(session, info.name)
    for stream in session._catalog.declared():
        rows = getattr(stream, "rows", None)
        if rows is not None:
            found[stream.name] = rows
        elif getattr(stream, "table", False) or stream.schema.changelog:
            found[stream.name] = found[stream.topic] = session.read(stream.name)
        else:
            found[stream.name] = found[stream.topic]
    return {name: table for name, table in found.items() if table.num_columns}


def _written(session: DrivenSession, topic: str) -> pa.Table:
    try:
        return session.read(topic)
    except UnknownTopicError:
        return pa.table({})


def _appended(session: DrivenSession, topic: str) -> pa.Table:
    owner = session._catalog.owner(topic)
    schema = owner.schema if owner is not None else session._catalog.schema(topic)
    sets, _, _ = session.broker.read_range({topic: None}, LIMIT)[topic]
    if schema is None:
        return pa.table({})
    batches = [JsonCodec().decode(run, schema).batch for run in coalesce(sets)]
    tables = [pa.Table.from_batches([b]).drop_columns([OP] if OP in b.schema.names else []) for b in batches]
    if tables:
        return pa.concat_tables(tables, promote_options="default")
    hidden = [pa.field(TS, pa.int64()), pa.field(POS, pa.int64())]
    return pa.schema([*schema.columns, *hidden]).empty_table()
