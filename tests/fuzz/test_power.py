"""The fuzzer finds faults: each operator is made to err in turn, and some case has to tell."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.fuzz.check import Case, judge, plan_of, random_case
from tests.fuzz.shrink import Shrinker
from velostream_nb.core.errors import SqlError
from velostream_nb.core.records import POS
from velostream_nb.engine.delta import Delta
from velostream_nb.engine.job import _OPERATORS, EngineNode, JobEngine
from velostream_nb.engine.node import Operator
from velostream_nb.engine.stateless import Source
from velostream_nb.sql import plan as plans

SEEDS = 400
MOST_CASES = 40
"""Cases with the operator that are tried before it counts as not found."""

RARE: frozenset[type[plans.Node]] = frozenset()
"""Nodes that the grammar does not make yet."""


@functools.cache
def cases_by_node() -> Mapping[type[plans.Node], list[Case]]:
    """Cases by the plan nodes in them, from the first seeds."""
    found: dict[type[plans.Node], list[Case]] = {}
    for seed in range(SEEDS):
        case = random_case(seed)
        try:
            plan = plan_of(case.query().sql, retract=case.retract)
        except SqlError:
            continue
        for kind in {type(node) for node in plans.walk(plan.root)}:
            found.setdefault(kind, []).append(case)
    return found


def caught(cases: list[Case]) -> Case | None:
    """The first case that fails."""
    return next((case for case in cases[:MOST_CASES] if judge(case).kind == "failed"), None)


def _without_last(rows: pa.Table) -> pa.Table:
    return rows.slice(0, rows.num_rows - 1) if rows.num_rows > 1 else rows


KINDS = sorted((k for k in _OPERATORS if k not in RARE), key=lambda k: k.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_forgotten_row_is_noticed(kind: type[plans.Node], monkeypatch: pytest.MonkeyPatch) -> None:
    # whichever class runs the node: all of them step in their place in the engine, but for what takes records
    operator = _OPERATORS[kind]
    owner, name = (operator, "take") if "take" in vars(operator) else (EngineNode, "step")
    real: Callable[..., Delta] = getattr(owner, name)

    def forgetful(self: Any, *args: Any, **kwargs: Any) -> Delta:
        delta = real(self, *args, **kwargs)
        running = self.operator if isinstance(self, EngineNode) else self
        return replace(delta, rows=_without_last(delta.rows)) if type(running.node) is kind else delta

    cases = cases_by_node().get(kind, [])
    assert cases, f"no case has a {kind.__name__}"
    monkeypatch.setattr(owner, name, forgetful)
    assert caught(cases) is not None


def test_ties_in_another_order_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Source.take

    def backwards(self: Source, *args: Any, **kwargs: Any) -> Delta:
        delta = real(self, *args, **kwargs)
        place = delta.rows.schema.get_field_index(POS)
        turned = pa.array([-value for value in delta.rows.column(POS).to_pylist()], pa.int64())
        return replace(delta, rows=delta.rows.set_column(place, POS, turned))

    monkeypatch.setattr(Source, "take", backwards)
    assert caught(cases_by_node()[plans.Order]) is not None


def test_a_watermark_that_runs_ahead_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Source.take

    def ahead(self: Source, *args: Any, **kwargs: Any) -> Delta:
        delta = real(self, *args, **kwargs)
        return replace(delta, watermark_us=delta.watermark_us + 10_000_000)

    monkeypatch.setattr(Source, "take", ahead)
    timed = [*cases_by_node()[plans.WindowAggregate], *cases_by_node()[plans.Order]]
    assert caught([case for case in timed if disordered(case)]) is not None


def disordered(case: Case) -> bool:
    """Whether some row comes behind a newer one of its partition."""
    newest: dict[tuple[str, int], int] = {}
    for arrival in case.arrivals:
        place = arrival.topic, arrival.partition
        if arrival.row["ts"] < newest.get(place, 0):
            return True
        newest[place] = arrival.row["ts"]
    return False


@pytest.mark.parametrize("kind", [plans.Order, plans.Group, plans.Latest], ids=lambda kind: kind.__name__)
def test_state_lost_in_a_restart_is_noticed(kind: type[plans.Node], monkeypatch: pytest.MonkeyPatch) -> None:
    real = JobEngine.load

    def emptied(self: JobEngine, path: Path) -> None:
        real(self, path)
        for node in self.nodes:
            operator = node.operator
            if type(operator.node) is kind:
                tables = operator.tables().items()
                operator.load_tables({name: t if t.num_rows == 1 else t.slice(0, 0) for name, t in tables})
                for native in operator.native().values():
                    self._duck.run(f"DELETE FROM {native}")

    monkeypatch.setattr(JobEngine, "load", emptied)
    cases = [c for c in cases_by_node()[kind] if any(a.restarts for a in c.arrivals)]
    assert caught(cases) is not None


def test_a_found_case_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = _OPERATORS[plans.WindowAggregate]
    real = operator.step

    def forgetful(self: Operator, inputs: list[Delta]) -> Delta:
        delta = real(self, inputs)
        return replace(delta, rows=_without_last(delta.rows))

    monkeypatch.setattr(operator, "step", forgetful)
    found = caught(cases_by_node()[plans.WindowAggregate])
    assert found is not None
    small = Shrinker(found, judge(found), most_runs=150).run()
    assert judge(small).kind == "failed"
    assert len(small.arrivals) <= 3, small
    assert len(small.query().sql) <= len(found.query().sql)
