"""EXPLAIN: the operators of a plan in the order of the data, with what each keeps, as data, as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from velostream_nb.core.functions import Function
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.types import field_type
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.node import KEEPS, OperatorStats, described
from velostream_nb.sql import plan as plans
from velostream_nb.sql.plan import JobPlan


@dataclass(frozen=True, slots=True)
class Step:
    """One operator.

    Attributes:
        number: from 1, in the order of the data.
        inputs: numbers of the steps it reads.
        what: one or two words.
        detail: what it does.
        mode: 'append' or 'changelog'.
        key: columns that no two rows of the changelog share; None when none are known, and for facts.
        keeps: what its state is; '' for none.
        bound: what keeps the state from growing; '' where there is none.
        live: of a running job, what went through and what it holds.
    """

    number: int
    inputs: tuple[int, ...]
    what: str
    detail: str
    mode: str
    key: tuple[str, ...] | None
    keeps: str
    bound: str
    live: OperatorStats | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A whole plan.

    Attributes:
        columns: of the output, with their DuckDB types.
        mode: how the output is written: 'append', 'upsert' or 'retract'.
        watermark: how time is told, one line a source.
        watermark_us: of a running job, where time stands; None before the first record, after the end, and of no job.
        notes: assumptions made for the user.
        job: the name of the running job.
    """

    steps: tuple[Step, ...]
    columns: Mapping[str, str]
    mode: str
    key: tuple[str, ...]
    watermark: tuple[str, ...]
    notes: tuple[str, ...]
    watermark_us: int | None = None
    job: str | None = None

    def lines(self) -> list[str]:
        """Readable lines: two a step, then output, watermark and notes."""
        lines: list[str] = []
        for step in self.steps:
            reads = f" <- {', '.join(map(str, step.inputs))}" if step.inputs else ""
            lines += [f"{step.number}. {step.detail}{reads}", f"     {'; '.join(_facts(step))}"]
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        modes = {
            "append": "append",
            "upsert": f"changelog, upserts by ({', '.join(self.key)})",
            "retract": "changelog, rows that come and go",
        }
        lines.append(f"output: {modes[self.mode]}; {columns}")
        lines += [f"watermark: {line}" for line in self.watermark]
        return lines + [f"note: {note}" for note in self.notes]

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "job": self.job,
            "steps": [_step_json(step) for step in self.steps],
            "output": {"mode": self.mode, "key": list(self.key), "columns": dict(self.columns)},
            "watermark": list(self.watermark),
            "watermark_us": self.watermark_us,
            "notes": list(self.notes),
        }


def explain(plan: JobPlan, functions: Mapping[str, Function] | None = None) -> Explanation:
    """What a plan would do; compiling it certifies it. `functions` are those that the SQL may call, by lower-case name.

    Raises:
        BindError: DuckDB refuses the plan.
    """
    engine = JobEngine(plan, functions=functions)
    try:
        return explain_engine(engine)
    finally:
        engine.close()


def explain_engine(engine: JobEngine, *, job: str | None = None) -> Explanation:
    """What an engine does; of a running job (`job`), with what went through and what it holds. On its own thread."""
    stats = engine.stats() if job is not None else [None] * len(engine.nodes)
    steps = []
    for number, (node, live) in enumerate(zip(engine.nodes, stats, strict=True), start=1):
        plan = node.operator.node
        detail, _, keeps = _halves(described(node.operator))
        steps.append(
            Step(
                number=number,
                inputs=tuple(i + 1 for i in node.inputs),
                what=_title(plan),
                detail=detail,
                mode="changelog" if plan.changes else "append",
                key=node.operator.output.key,
                keeps=keeps,
                bound=_bound(plan) if keeps else "",
                live=live,
            )
        )
    known = job is not None and WATERMARK_MIN_US < engine.watermark_us < WATERMARK_MAX_US
    return Explanation(
        steps=tuple(steps),
        columns={field.name: field_type(field) for field in engine.output_schema},
        mode=engine.changelog or "append",
        key=tuple(engine.key),
        watermark=tuple(_watermarks(engine.plan)),
        notes=engine.plan.notes,
        watermark_us=engine.watermark_us if known else None,
        job=job,
    )


def size_text(size: int) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size = size / 1000  # type: ignore[assignment]  # shown, not counted with
    return f"{size:.1f} GB"


def _halves(described: str) -> tuple[str, str, str]:
    for mark in KEEPS:
        if mark in described:
            return described.partition(mark)
    return described, "", ""


def _facts(step: Step) -> list[str]:
    facts = [step.mode]
    if step.key is not None and step.mode == "changelog":
        facts[0] += f", one row per ({', '.join(step.key)})" if step.key else ", one row"
    if step.keeps:
        facts.append(f"keeps {step.keeps}{f' ({step.bound})' if step.bound else ''}")
    if (live := step.live) is not None:
        if step.keeps:
            rows = "row" if live.state_rows == 1 else "rows"
            facts.append(f"now {live.state_rows:,} {rows}, {size_text(live.state_bytes)}")
        took = f", {live.busy_us / 1_000:,.1f} ms" if step.inputs else ""
        facts.append(f"{live.rows_in:,} rows in, {live.rows_out:,} out{took}")
    return facts


def _step_json(step: Step) -> dict[str, Any]:
    live = step.live
    return {
        "step": step.number,
        "inputs": list(step.inputs),
        "operator": step.what,
        "detail": step.detail,
        "mode": step.mode,
        "key": None if step.key is None else list(step.key),
        "keeps": step.keeps or None,
        "bound": step.bound or None,
        "live": live
        and {
            "rows_in": live.rows_in,
            "rows_out": live.rows_out,
            "busy_us": live.busy_us,
            "state_rows": live.state_rows,
            "state_bytes": live.state_bytes,
        },
    }


_TITLES: Mapping[type[plans.Node], str] = {
    plans.Source: "read",
    plans.Table: "table",
    plans.Project: "select",
    plans.Order: "order by time",
    plans.Running: "running aggregate",
    plans.Carried: "running aggregate",
    plans.Over: "window functions",
    plans.Ended: "window functions",
    plans.OneRowJoin: "join with one row",
    plans.WindowAggregate: "window",
    plans.SessionAggregate: "session window",
    plans.WindowChanges: "window",
    plans.SessionChanges: "session window",
    plans.IntervalJoin: "interval join",
    plans.AsofJoin: "as-of join",
    plans.TableJoin: "join with table",
    plans.Latest: "latest per key",
    plans.AsChanges: "as changes",
    plans.Union: "union all",
    plans.Group: "group by",
    plans.TopN: "top n",
}


def _title(node: plans.Node) -> str:
    if isinstance(node, plans.Table) and node.stream.rows is not None:
        return "reference table"
    if isinstance(node, plans.Project) and node.where and all(e == f'"{n}"' for e, n in node.items):
        return "filter"
    if isinstance(node, plans.Keyed):
        return "group by" if node.what.startswith("group by") else node.what.partition(" on ")[0]
    return _TITLES.get(type(node), type(node).__name__.lower())


def _bound(node: plans.Node) -> str:
    """What keeps a node's state from growing."""
    ttl_us = getattr(node, "ttl_us", None)
    if ttl_us is not None:
        return f"forgotten {_seconds(ttl_us)} after its last row"
    match node:
        case plans.Order():
            return "until the watermark has passed them"
        case plans.WindowChanges(keep_us=keep) | plans.SessionChanges(keep_us=keep) if keep:
            return f"until the watermark is {_seconds(keep)} past their end"
        case plans.Grouped():
            return "until the watermark closes them"
        case plans.IntervalJoin() | plans.AsofJoin():
            return "the watermark of the other side frees them"
        case plans.Group():
            return "grows with its groups; 'state.ttl' bounds it"
        case plans.Keyed():
            return "grows with its inputs; 'state.ttl' bounds it"
        case plans.Running(ends=ends) if ends is not None:
            return "until the watermark ends their partition"
        case plans.Running() | plans.Latest() | plans.Table() | plans.TableJoin() | plans.TopN():
            return "grows with its keys"
        case plans.Over(reaches=reaches) if any(reach.partition and reach.ends is None for reach in reaches):
            return "grows with its keys"
    return ""


def _watermarks(plan: JobPlan) -> list[str]:
    found = []
    for source in plan.sources:
        if isinstance(source, plans.Source):
            time = source.stream.schema.time_column or "the broker's timestamp"
            delay = f" less {_seconds(source.delay_us)}" if source.delay_us else ""
            idle = f"; a partition silent for {_seconds(source.idle_us)} is not waited for"
            found.append(
                f"of {source.stream.topic}: the newest {time} of each partition{delay}, the least counts{idle}"
            )
    return found


def _seconds(us: int) -> str:
    return f"{us / 1e6:g} s"
