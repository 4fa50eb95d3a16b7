"""OVER: window functions, by what each must remember and wait for.

Over rows in event-time order a window function is a running value (`plan.Running`, `plan.Carried`), a look at the rows
near by (`plan.Over`), or a look at running values. Over partitions that end it is whatever DuckDB has (`plan.Ended`). A
rank that only picks the best rows makes a changelog of them (`plan_over_top`); window functions of a changelog are
answered anew for the partitions that change (`plan_over_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.sql.plan import Carried, Ended, Node, Order, Over, OverCall, Reach, Running, RunningCall
from velostream_nb.sql.plan_over_call import RUN, Calls, Step
from velostream_nb.sql.plan_over_changes import plan_over_changes
from velostream_nb.sql.plan_over_frame import Ordering, ordering_of
from velostream_nb.sql.plan_over_function import NUMBERED, in_frame_order, name_of
from velostream_nb.sql.plan_over_partition import Partition
from velostream_nb.sql.plan_over_top import RankLimit, rank_limit, top
from velostream_nb.sql.scope import conjuncts, inlined, is_column, named, text
from velostream_nb.sql.spread import retimed

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner


def has_window(tree: exp.Expr) -> bool:
    """Does the expression contain a window function?"""
    return tree.find(exp.Window) is not None


def plan_over(
    planner: Planner,
    node: Node,
    items: Items,
    where: list[exp.Expr],
    qualify: list[exp.Expr],
    windows: list[exp.Expr],
) -> Node:
    """Plan the window functions of a block; `items`, conditions and WINDOW definitions are bound already."""
    definitions = {w.name.lower(): w for w in windows}
    items = [(_defined(planner, e, definitions), name) for e, name in items]
    qualify = [_defined(planner, q, definitions) for q in qualify]
    for tree in (*(e for e, _ in items), *qualify):
        for window in tree.find_all(exp.Window):
            if any(has_window(child) for child in window.iter_expressions()):
                planner.refuse("a window function inside another one", "compute the inner one in a CTE", window)
    # filter and window functions run before the SELECT list is there: its names stand for what they are computed from
    where = [inlined(c, items) for c in where]
    items, qualify = (
        [(_self_contained(e, items), name) for e, name in items],
        [_self_contained(q, items) for q in qualify],
    )
    if node.changes:
        return plan_over_changes(planner, node, items, where, qualify)
    return _Block(planner, node, items, where, [c for q in qualify for c in conjuncts(q)]).build()


def _defined(planner: Planner, tree: exp.Expr, definitions: dict[str, exp.Expr]) -> exp.Expr:
    """``OVER w`` and ``OVER (w …)`` with the definition of w filled in."""

    def visit(node: exp.Expr) -> exp.Expr:
        while isinstance(node, exp.Window) and node.alias:
            definition = definitions.get(node.alias.lower())
            if definition is None:
                planner.refuse(f"unknown window {node.alias!r}", "define it with WINDOW name AS (…)", node)
            node.set("alias", definition.args.get("alias") if definition.alias != node.alias else None)
            for part in ("partition_by", "order", "spec"):
                if not node.args.get(part) and definition.args.get(part):
                    value = definition.args[part]
                    node.set(part, [v.copy() for v in value] if isinstance(value, list) else value.copy())
        return node

    return tree.copy().transform(visit, copy=False)


def _self_contained(tree: exp.Expr, items: Items) -> exp.Expr:
    """Window functions without names of SELECT items in them."""

    def visit(node: exp.Expr) -> exp.Expr:
        return inlined(node, items) if isinstance(node, exp.Window) else node

    return tree.copy().transform(visit, copy=False)


@dataclass(slots=True)
class _Stage:
    """Window functions that one time column orders.

    Attributes:
        runs: running values per partition.
        looks: window functions with the names of their columns.
    """

    by: str | None
    strict: bool = False
    unit_us: int = 1
    runs: dict[Partition, list[RunningCall]] = field(default_factory=dict)
    looks: list[tuple[Step, str]] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)


class _Block:
    """One SELECT with window functions over an append-only input."""

    def __init__(
        self, planner: Planner, node: Node, items: Items, where: list[exp.Expr], qualify: list[exp.Expr]
    ) -> None:
        self.planner = planner
        self.node = node
        self.items = items
        self.where = where
        self.qualify = qualify
        self.calls = Calls(planner, node)
        self.found: list[tuple[exp.Expr, exp.Expr]] = []
        """Window functions as written, and what stands for them in the end."""
        self.ended: dict[Partition, Items] = {}
        self.stages: dict[str | None, _Stage] = {}
        self.limit: RankLimit | None = None
        self._names = 0

    def build(self) -> Node:
        for tree in (*(e for e, _ in self.items), *self.qualify):
            for window in tree.find_all(exp.Window):
                if not any(window == known for known, _ in self.found) and not self._limits(window):
                    self._place(window)
        for stage in self.stages.values():
            self._frame(stage)
        node = self.planner.filtered(self.node, self.where, self.calls.extra.items)
        for partition, calls in self.ended.items():
            node = self._ended_node(node, partition, calls)
        stages = sorted(self.stages.values(), key=lambda s: s.by is not None)
        for stage in stages:
            node = self._ordered(node, stage)
            node = self._looks(node, stage) if stage.looks else node
        if self.limit is not None:
            return top(self.planner, node, self.node, self._final(), self._conditions(), self.limit)
        return self.planner.project(node, self._final(), self._conditions())

    # -- which function goes where ----------------------------------------------------------------------------------

    def _limits(self, window: exp.Window) -> bool:
        return self.limit is not None and window == self.limit.window

    def _place(self, window: exp.Window) -> None:
        partition = self.calls.extra.partition(window)
        if partition.ends is not None and (partition.fixed or not window.args.get("order")):
            self._place_ended(window, partition)
            return
        try:
            step = self.calls.step(window)
        except UnsupportedError:
            if partition.ends is not None:
                self._place_ended(window, partition)
                return
            self.limit = self.limit or rank_limit(self.qualify, self.items, window)
            if not self._limits(window):
                raise
            return
        self._place_step(window, step)

    def _place_step(self, window: exp.Window, step: Step) -> None:
        by = step.ordering.by
        stage = self.stages.setdefault(by, _Stage(by))
        stage.strict = stage.strict or step.strict
        stage.unit_us = max(stage.unit_us, step.ordering.unit_us)
        result: exp.Expr = named(RUN)
        if step.run is not None:
            name = "" if step.look is not None else self._label(window)
            result = named(self._run(stage, step, step.run, name))
        if step.look is not None:
            look = _with_run(step.look, result)
            result = named(self._label(window) or self._name("__w"))
            stage.looks.append((replace(step, look=look), result.name))
            if step.reach is not None and step.reach not in stage.reaches:
                stage.reaches.append(step.reach)
        self.found.append((window, result))

    def _label(self, window: exp.Expr) -> str:
        """The name that the SELECT list gives a window function, where it is free; '' otherwise."""
        name = next((name for e, name in self.items if e.unnest() == window), "")
        taken = {c.lower() for c in self.node.columns} | {v.name.lower() for _, v in self.found}
        return "" if name.lower() in taken or name.startswith("__") else name

    def _run(self, stage: _Stage, step: Step, run: RunningCall, name: str) -> str:
        runs = stage.runs.setdefault(step.partition, [])
        for known in runs:
            if (known.call, known.order, known.peers) == (run.call, run.order, run.peers):
                return known.name
        name = name or self._name("__r")
        ordering, ends = step.ordering, step.partition.ends
        at_once = ordering.unit_us == 1 and not ordering.ties and ends is None
        column = self._column(step.values, computed=at_once)
        runs.append(replace(run, name=name, column=column))
        return name

    def _column(self, values: exp.Expr | None, *, computed: bool) -> str | None:
        """The column of these values; one is computed ahead only where that saves DuckDB the window function."""
        if values is None or (not computed and is_column(values, self.node.columns) is None):
            return None
        return self.calls.extra.column(values)

    def _frame(self, stage: _Stage) -> None:
        """Say in numbers what the calls look at, where all of them can be said so."""
        framed = all(step.frame is not None for step, _ in stage.looks)
        for place, (step, name) in enumerate(stage.looks):
            if step.frame is not None:
                column = self._column(step.values, computed=framed)
                known = column is not None or step.values is None
                frame = replace(step.frame, column=column or "") if known else None
                stage.looks[place] = replace(step, frame=frame), name

    def _place_ended(self, window: exp.Window, partition: Partition) -> None:
        """Any function, order and frame; what the order leaves open goes by event time and position."""
        name, spec = name_of(window.this), window.args.get("spec")
        kind = spec.text("kind").upper() if spec is not None else "RANGE"
        if kind == "ROWS" and spec is not None and spec.text("exclude").upper() in ("GROUP", "TIES"):
            self.planner.refuse("EXCLUDE ties of a ROWS frame depends on the order of ties", "write GROUPS", window)
        ordering = ordering_of(window.args.get("order"), self.node)
        if ordering is not None:
            rows = ordering.rows(self.node.pos)
        else:
            rows = [*(o.copy() for o in window.args["order"].expressions), *Ordering().rows(self.node.pos)]
        copy = window.copy()
        if kind == "ROWS" or name in NUMBERED:
            copy.set("order", exp.Order(expressions=rows))
        else:
            copy.set("this", in_frame_order(window.this, rows))
        calls = self.ended.setdefault(Partition((), partition.ends, partition.by), [])
        column = self._name("__w")
        calls.append((copy, column))
        self.found.append((window, named(column)))

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names - 1}"

    # -- nodes ------------------------------------------------------------------------------------------------------

    def _ended_node(self, node: Node, partition: Partition, calls: Items) -> Node:
        assert partition.ends is not None
        return Ended(
            inputs=(node,),
            columns=(*node.columns, *(name for _, name in calls)),
            pos=node.pos,
            time=node.time,
            windows=tuple((text(e), name) for e, name in calls),
            ends=partition.ends,
            by=partition.by,
        )

    def _ordered(self, node: Node, stage: _Stage) -> Node:
        """The node in the stage's order, with the stage's running values."""
        node = node if stage.by is None else retimed(node, stage.by)
        node = Order(
            inputs=(node,),
            columns=node.columns,
            pos=node.pos,
            time=node.time,
            strict=stage.strict,
            unit_us=stage.unit_us,
        )
        for partition, runs in stage.runs.items():
            for kind in (Carried, Running):
                calls = tuple(r for r in runs if (r.kind == "state") == (kind is Running))
                node = self._running(node, kind, partition, calls, stage) if calls else node
        return node

    def _running(
        self,
        node: Node,
        kind: type[Running],
        partition: Partition,
        calls: tuple[RunningCall, ...],
        stage: _Stage,
    ) -> Node:
        ends = () if partition.ends is None else (partition.ends,)
        return kind(
            inputs=(node,),
            columns=(*node.columns, *(c.name for c in calls)),
            pos=node.pos,
            time=node.time,
            partition=(*partition.columns, *ends),
            calls=calls,
            strict=any(c.peers or len(c.order) > 1 + len(node.pos) for c in calls),
            unit_us=stage.unit_us,
            ends=partition.ends,
        )

    def _looks(self, node: Node, stage: _Stage) -> Node:
        calls = tuple(
            OverCall(name, text(step.look), step.partition.columns, step.frame)
            for step, name in stage.looks
            if step.look is not None
        )
        return Over(
            inputs=(node,),
            columns=(*node.columns, *(call.name for call in calls)),
            pos=node.pos,
            time=node.time,
            calls=calls,
            reaches=tuple(stage.reaches),
        )

    # -- what is left of the SELECT ---------------------------------------------------------------------------------

    def _final(self) -> Items:
        return [(self._replaced(e), name) for e, name in self.items]

    def _conditions(self) -> list[exp.Expr]:
        return [self._replaced(q) for q in self.qualify]

    def _replaced(self, tree: exp.Expr) -> exp.Expr:
        def visit(node: exp.Expr) -> exp.Expr:
            if isinstance(node, exp.Window):
                return next((value.copy() for window, value in self.found if window == node), node)
            return node

        return tree.copy().transform(visit, copy=False)


def _with_run(window: exp.Expr, run: exp.Expr) -> exp.Expr:
    def visit(node: exp.Expr) -> exp.Expr:
        return run.copy() if isinstance(node, exp.Column) and node.name == RUN else node

    return window.copy().transform(visit, copy=False)
