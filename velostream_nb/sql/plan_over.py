"""OVER: window functions over event-time order, by what each frame must remember."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.bounds import interval_us
from velostream_nb.sql.plan import Latest, Node, Over, Running, RunningCall
from velostream_nb.sql.scope import conjoin, conjuncts, inlined, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

_SHIFTS = (exp.Lag, exp.Lead)
_RANKS = {
    "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE",
}  # fmt: skip


def has_window(tree: exp.Expr) -> bool:
    """Does the expression contain a window function?"""
    return tree.find(exp.Window) is not None


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a window function needs.

    Attributes:
        rows: rows before the current one, None when the frame is not bounded by rows.
        span_us: how far back a RANGE frame reaches, None for ROWS.
        running: the frame starts at the first row ever.
        peers: rows of equal event time count as one (RANGE).
    """

    rows: int | None = None
    span_us: int | None = None
    running: bool = False
    peers: bool = False


def plan_over(
    planner: Planner,
    node: Node,
    items: Items,
    where: list[exp.Expr],
    qualify: list[exp.Expr],
    windows: list[exp.Expr],
) -> Node:
    """Plan the window functions of a block; `items`, conditions and WINDOW definitions are bound already."""
    latest = _latest(planner, node, items, where, qualify)
    if latest is not None:
        return latest
    return _OverPlan(planner, node, {w.name.lower(): w for w in windows}).build(items, where, qualify)


def _latest(planner: Planner, node: Node, items: Items, where: list[exp.Expr], qualify: list[exp.Expr]) -> Node | None:
    """``QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY time DESC) = 1``, alone: the newest row per key."""
    if len(qualify) != 1 or any(has_window(e) for e, _ in items):
        return None
    condition = qualify[0].unnest()
    if not isinstance(condition, (exp.EQ, exp.LTE)) or condition.right.name != "1":
        return None
    window = condition.left.unnest()
    if not isinstance(window, exp.Window) or not isinstance(window.this, exp.RowNumber):
        return None
    order = window.args["order"].expressions if window.args.get("order") else []
    if len(order) != 1 or not order[0].args.get("desc") or is_column(order[0].this, node.time) is None:
        return None
    keys = [is_column(p, node.columns) for p in window.args.get("partition_by") or []]
    names = {is_column(e, node.columns): name for e, name in items}
    missing = [k for k in keys if k is None or k not in names]
    if missing or not keys:
        planner.refuse(
            "the newest row per key needs its key columns in the SELECT list",
            "PARTITION BY plain columns and select each of them",
            window,
        )
    projected = planner.project(node, items, where)
    key = tuple(names[k] for k in keys)
    return Latest(inputs=(projected,), columns=projected.columns, pos=(), time={}, changes=True, key=key, keys=key)


class _OverPlan:
    def __init__(self, planner: Planner, node: Node, named_windows: dict[str, exp.Expr]) -> None:
        self.planner = planner
        self.node = node
        self.named = named_windows
        self.extra: Items = []
        self.calls: list[RunningCall] = []
        self.keeps: dict[tuple[str, ...], int] = {}
        self.keep_us = 0
        self.strict = False
        self.by: str | None = None

    def build(self, items: Items, where: list[exp.Expr], qualify: list[exp.Expr]) -> Node:
        for tree in (*(e for e, _ in items), *qualify):
            for window in tree.find_all(exp.Window):
                self._refuse_nested(window)
        new_items = [(self._rewrite(e), name) for e, name in items]
        condition = [part for q in qualify for part in conjuncts(self._rewrite(q))]
        # the filter runs before the SELECT list is there: its names stand for what they are computed from
        node = self.planner.filtered(self.node, [inlined(c, items) for c in where], self.extra)
        ordered = self.planner.ordered(node, strict=self.strict, by=self.by)
        current: Node = ordered
        if self.calls:
            current = Running(
                inputs=(current,),
                columns=current.columns + tuple(c.name for c in self.calls),
                pos=current.pos,
                time=current.time,
                calls=tuple(self.calls),
            )
        if not self.keeps and not self.keep_us:
            return self.planner.project(current, new_items, condition)
        out = self.planner.project(current, new_items, [])
        return Over(
            inputs=(current,),
            columns=tuple(name for _, name in new_items),
            pos=current.pos,
            time=out.time,
            items=tuple((text(e), name) for e, name in new_items),
            qualify=conjoin(condition),
            windows="",
            keeps=tuple(self.keeps.items()),
            keep_us=self.keep_us,
        )

    # -- rewriting --------------------------------------------------------------------------------------------------

    def _rewrite(self, tree: exp.Expr) -> exp.Expr:
        def visit(node: exp.Expr) -> exp.Expr:
            return self._window(node) if isinstance(node, exp.Window) else node

        return tree.copy().transform(visit, copy=False)

    def _window(self, window: exp.Window) -> exp.Expr:
        window = self._inlined(window)
        partition = tuple(self._partition(p) for p in window.args.get("partition_by") or [])
        order = window.args.get("order")
        function = window.this
        if order is not None:
            self._check_order(order)
        frame = self._frame(window, function)
        if frame.running:
            return self._running(window, partition, frame)
        if order is None:
            what = "LAG" if isinstance(function, exp.Lag) else text(function)
            self.planner.note(f"{what} OVER without ORDER BY follows event time")
        if frame.rows is not None:
            self.keeps[partition] = max(self.keeps.get(partition, 0), frame.rows)
            # ties in event time are broken by position, so that no split into batches changes the answer
            columns = [TS, *self.node.pos]
            window.set("order", exp.Order(expressions=[exp.Ordered(this=named(c)) for c in columns]))
        if frame.span_us is not None:
            self.keep_us = max(self.keep_us, frame.span_us)
            self.keeps.setdefault(partition, 0)
            self.strict = True
        window.set("partition_by", [named(p) for p in partition])
        return window

    def _running(self, window: exp.Window, partition: tuple[str, ...], frame: _Frame) -> exp.Expr:
        function = window.this
        if isinstance(function, exp.RowNumber):
            function = exp.Count(this=exp.Star())
            frame = _Frame(running=True, peers=False)
        elif isinstance(function, exp.FirstValue):
            function = exp.Anonymous(this="first", expressions=[function.this])
        if function.find(exp.Distinct, exp.Order) is not None:
            self.planner.refuse(
                f"{text(function)} over an unbounded history would remember every value",
                "aggregate over a window (GROUP BY …, TUMBLE(…)), or bound the frame with ROWS n PRECEDING",
                window,
            )
        if window.args.get("order") is None:
            self.planner.note(f"{text(function)} OVER without ORDER BY is the running value up to each row")
        call = RunningCall(f"__r{len(self.calls)}", text(function), partition, frame.peers)
        for known in self.calls:
            if (known.call, known.partition, known.peers) == (call.call, call.partition, call.peers):
                return named(known.name)
        self.calls.append(call)
        self.strict = self.strict or frame.peers
        return named(call.name)

    def _inlined(self, window: exp.Window) -> exp.Window:
        """``OVER w`` and ``OVER (w …)`` with the definition of w filled in."""
        name = window.alias
        if not name:
            return window
        definition = self.named.get(name.lower())
        if definition is None:
            self.planner.refuse(f"unknown window {name!r}", "define it with WINDOW name AS (…)", window)
        merged = window.copy()
        merged.set("alias", None)
        for part in ("partition_by", "order", "spec"):
            if not merged.args.get(part) and definition.args.get(part):
                value = definition.args[part]
                merged.set(part, [v.copy() for v in value] if isinstance(value, list) else value.copy())
        return self._inlined(merged) if definition.alias and definition.alias != name else merged

    def _partition(self, tree: exp.Expr) -> str:
        """The column to partition by; an expression is computed into a column first."""
        column = is_column(tree, self.node.columns)
        if column is not None:
            return column
        for known, name in self.extra:
            if known == tree:
                return name
        name = f"__p{len(self.extra)}"
        self.extra.append((tree.copy(), name))
        return name

    def _check_order(self, order: exp.Expr) -> None:
        first = order.expressions[0]
        column = is_column(first.this, self.node.time)
        if column is None or len(order.expressions) > 1:
            self.planner.refuse(
                f"OVER (ORDER BY {text(order).removeprefix('ORDER BY').strip()}) cannot be incremental: "
                "a stream is ordered by event time",
                f"ORDER BY {next(iter(self.node.time), 'the event-time column')}",
                first,
            )
        if first.args.get("desc"):
            self.planner.refuse(
                "OVER (ORDER BY … DESC) would look into the future",
                "order by event time ascending; for the newest row per key: "
                "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1 alone",
                first,
            )
        if self.by not in (None, column):
            self.planner.refuse("two windows order by different time columns", "use one of them", first)
        self.by = column

    # -- frames -----------------------------------------------------------------------------------------------------

    def _frame(self, window: exp.Window, function: exp.Expr) -> _Frame:
        inner = function.this if isinstance(function, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)) else function
        name = inner.sql_name() if isinstance(inner, exp.Func) else inner.name.upper()
        if isinstance(function, exp.IgnoreNulls):
            self.planner.refuse("IGNORE NULLS is not supported yet", "filter the NULLs in a CTE first", window)
        if isinstance(inner, exp.Lead):
            self.planner.refuse("LEAD looks into the future and is not supported yet", "use LAG", window)
        if isinstance(inner, exp.Lag):
            return _Frame(rows=self._lag_rows(inner))
        if name in _RANKS or (isinstance(inner, exp.Anonymous) and inner.name.upper() in _RANKS):
            self.planner.refuse(
                f"{name} over an unbounded history would remember every row",
                "for the newest row per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1",
                window,
            )
        if isinstance(inner, exp.RowNumber):
            return _Frame(running=True)
        spec = window.args.get("spec")
        if spec is None:
            return _Frame(running=True, peers=window.args.get("order") is not None)
        return self._spec(spec, window)

    def _lag_rows(self, lag: exp.Lag) -> int:
        offset = lag.args.get("offset")
        if offset is None:
            return 1
        if not isinstance(offset, exp.Literal) or offset.is_string:
            self.planner.refuse("LAG needs a constant offset", "write LAG(x, 3)", lag)
        return int(offset.name)

    def _spec(self, spec: exp.Expr, window: exp.Window) -> _Frame:
        kind = spec.text("kind").upper()
        if kind == "GROUPS" or spec.args.get("exclude"):
            self.planner.refuse(f"{kind} frames and EXCLUDE are not supported yet", "use ROWS or RANGE", window)
        for side in ("start_side", "end_side"):
            if spec.text(side).upper() == "FOLLOWING":
                self.planner.refuse(
                    "a frame with FOLLOWING looks into the future and is not supported yet",
                    "end the frame at CURRENT ROW",
                    window,
                )
        start = spec.args.get("start")
        unbounded = isinstance(start, str) and start.upper() == "UNBOUNDED"
        bound: Callable[[], int] = lambda: self._bound(start, kind, window)  # noqa: E731
        if unbounded:
            if spec.text("end_side"):
                self.planner.refuse(
                    "a frame from UNBOUNDED PRECEDING must end at CURRENT ROW",
                    "compute the running value in a CTE and LAG it",
                    window,
                )
            return _Frame(running=True, peers=kind == "RANGE")
        return _Frame(rows=bound()) if kind == "ROWS" else _Frame(span_us=bound(), peers=True)

    def _bound(self, start: object, kind: str, window: exp.Window) -> int:
        if isinstance(start, str):  # CURRENT ROW
            return 0
        if kind == "ROWS" and isinstance(start, exp.Literal) and not start.is_string:
            return int(start.name)
        size = interval_us(start) if kind == "RANGE" and isinstance(start, exp.Expr) else None
        if size is None:
            example = "ROWS 20 PRECEDING" if kind == "ROWS" else "RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND …"
            self.planner.refuse(f"a {kind} frame needs a constant bound", f"write {example}", window)
        return size

    def _refuse_nested(self, window: exp.Window) -> None:
        if any(has_window(child) for child in window.iter_expressions()):
            self.planner.refuse("a window function inside another one", "compute the inner one in a CTE", window)
