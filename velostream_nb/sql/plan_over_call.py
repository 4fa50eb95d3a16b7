"""One window function at a time: what it has to remember, and what it has to wait for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.sql.aggregates import ordered_call
from velostream_nb.sql.buckets import bucket_of, lag_of
from velostream_nb.sql.plan import Node, Reach, RunningCall
from velostream_nb.sql.plan_over_frame import Frame, Ordering, frame_of, ordering_of
from velostream_nb.sql.scope import is_column, named, text
from velostream_nb.sql.spread import spread

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

RUN = "__run"
"""Stands for the column of a step's running value in the window function that reads it."""

RANKS = ("ROW_NUMBER", "RANK", "DENSE_RANK")
_WHOLE = ("PERCENT_RANK", "CUME_DIST", "NTILE", "FILL")
_VALUES = ("FIRST_VALUE", "LAST_VALUE", "NTH_VALUE")
_FOLDS = ("COUNT", "SUM", "MIN", "MAX", "AVG")
_AS_VALUE = {"FIRST": exp.FirstValue, "ARBITRARY": exp.FirstValue, "ANY_VALUE": exp.FirstValue, "LAST": exp.LastValue}
_ZERO_OF_NONE = ("COUNT", "COUNT_IF", "COUNTIF", "COUNT_STAR", "APPROX_COUNT_DISTINCT", "REGR_COUNT")
_HOARDERS = (
    "MEDIAN", "QUANTILE", "QUANTILE_CONT", "QUANTILE_DISC", "PERCENTILE_CONT", "PERCENTILE_DISC", "MAD", "MODE",
    "HISTOGRAM", "HISTOGRAM_EXACT", "ENTROPY",
)  # fmt: skip
_KINDS = {"ROWS": "rows", "GROUPS": "groups", "RANGE": "time"}
_IN_ORDER = (
    "LIST", "ARRAY_AGG", "STRING_AGG", "LISTAGG", "GROUP_CONCAT", "MODE", "APPROX_QUANTILE", "FIRST", "LAST",
    "ANY_VALUE", "ARBITRARY", "ARG_MAX", "ARG_MIN", "ARGMAX", "ARGMIN", "MAX_BY", "MIN_BY", "ARG_MAX_NULL",
    "ARG_MIN_NULL",
)  # fmt: skip


def name_of(function: exp.Expr) -> str:
    """DuckDB's name of a window function, upper case."""
    inner = bare(function)
    return text(inner).partition("(")[0].strip().upper()


def bare(function: exp.Expr) -> exp.Expr:
    """The function without FILTER and IGNORE NULLS."""
    while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        function = function.this
    return function


@dataclass(frozen=True, slots=True)
class Partition:
    """PARTITION BY as columns.

    Attributes:
        ends: column that says when the partition is over; None: it never is.
        by: the expression behind `ends`.
        fixed: event time and the end are the same distance apart for all rows: nobody waits for nothing.
    """

    columns: tuple[str, ...]
    ends: str | None = None
    by: str = ""
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """How a window function is computed over ordered rows: a running value, a look at the rows near by, or both.

    Attributes:
        by: the time column that orders them, when that is not event time itself.
        strict: rows wait for all rows of their unit of event time.
        run: the running value; its name is not given yet.
        window: what is computed over the rows kept; reads the running value as `RUN`.
    """

    by: str | None
    strict: bool
    unit_us: int
    partition: Partition
    run: RunningCall | None = None
    window: exp.Expr | None = None
    reach: Reach | None = None


class Extra:
    """Columns that are computed before the windows: what they partition by, and when that ends."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.items: Items = []

    def column(self, tree: exp.Expr) -> str:
        """The column of that value; an expression becomes one."""
        known = is_column(tree, self._node.columns)
        if known is not None:
            return known
        for expression, name in self.items:
            if expression == tree:
                return name
        name = f"__x{len(self.items)}"
        self.items.append((tree.copy(), name))
        return name


class Calls:
    """Plans the window functions of one SELECT over an append-only node; every refusal leaves it as it was."""

    def __init__(self, planner: Planner, node: Node) -> None:
        self.planner = planner
        self.node = node
        self.extra = Extra(node)

    # -- PARTITION BY -----------------------------------------------------------------------------------------------

    def partition(self, window: exp.Window) -> Partition:
        trees = window.args.get("partition_by") or []
        columns = tuple(self.extra.column(t) for t in trees)
        found: list[Partition] = []
        for tree in trees:
            lag_us = self._lag_us(tree)
            if lag_us is not None:
                column = is_column(tree, self.node.time)
                apart = spread(self.node, column) if column is not None else None
                fixed = apart is not None and apart.least_us == apart.most_us
                ends = self.extra.column(_ends(tree, lag_us))
                found.append(Partition(columns, ends, text(tree), fixed))
        return max(found, key=lambda p: p.fixed, default=Partition(columns))

    def _lag_us(self, tree: exp.Expr) -> int | None:
        """How far the expression may lie behind event time; None when it does not follow event time."""
        lag_us = lag_of(tree, self.node.time)
        bucket = bucket_of(tree, self.node.time) if lag_us is None else None
        if bucket is not None:
            lag_us = self.node.time[bucket.by] + bucket.window.longest_us - 1
        return lag_us

    # -- one function -----------------------------------------------------------------------------------------------

    def step(self, window: exp.Window) -> Step:
        """Plan it over event-time order; UnsupportedError when that cannot be incremental."""
        function = window.this
        name = name_of(function)
        ordering = self._ordering(window)
        if name in _WHOLE:
            self._refuse_whole(name, window)
        partition = self.partition(window)
        if name in RANKS:
            step = self._rank(window, name, ordering, partition)
        elif name in ("LAG", "LEAD"):
            step = self._shift(window, name, ordering, partition)
        else:
            step = self._framed(window, name, ordering, partition)
        if not ordering.given:
            how = "is the running value up to each row" if step.run is not None else "follows event time"
            self.planner.note(f"{text(function) if step.run or name != 'LAG' else 'LAG'} OVER without ORDER BY {how}")
        return step

    def _ordering(self, window: exp.Window) -> Ordering:
        order = window.args.get("order")
        ordering = ordering_of(order, self.node)
        if ordering is None:
            assert order is not None
            written = text(order).removeprefix("ORDER BY").strip()
            time = next((c for c, lag in self.node.time.items() if lag == 0), next(iter(self.node.time), "timestamp()"))
            self.planner.refuse(
                f"OVER (ORDER BY {written}) cannot be incremental: a stream is ordered by event time",
                f"ORDER BY {time}; for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key "
                f"ORDER BY {written}) <= n, alone; or PARTITION BY something that ends, such as window_end",
                order.expressions[0],
            )
        return ordering

    def _made(self, ordering: Ordering, partition: Partition, **made: object) -> Step:
        run, reach = made.get("run"), made.get("reach")
        strict = bool(ordering.ties)
        if isinstance(run, RunningCall):
            strict = strict or run.peers
        if isinstance(reach, Reach):
            strict = strict or reach.peers
        return Step(ordering.by, strict, ordering.unit_us, partition, **made)  # type: ignore[arg-type]

    def _reach(self, ordering: Ordering, partition: Partition, **how: object) -> Reach:
        return Reach(
            partition.columns,
            loose=bool(ordering.ties),
            unit_us=ordering.unit_us,
            ends=partition.ends,
            **how,  # type: ignore[arg-type]
        )

    # -- ranks and shifts -------------------------------------------------------------------------------------------

    def _rank(self, window: exp.Window, name: str, ordering: Ordering, partition: Partition) -> Step:
        if name != "ROW_NUMBER" and not ordering.given:
            self.planner.refuse(f"{name} needs ORDER BY", "order by event time", window)
        if ordering.desc:
            self._refuse_future(window, name)
        numbered = name == "ROW_NUMBER"
        order = ordering.rows(self.node.pos) if numbered else ordering.peers()
        run = RunningCall("", text(window.this), name.lower(), tuple(text(o) for o in order), peers=not numbered)
        return self._made(ordering, partition, run=run)

    def _shift(self, window: exp.Window, name: str, ordering: Ordering, partition: Partition) -> Step:
        call = bare(window.this)
        offset = call.args.get("offset")
        count = 1 if offset is None else _whole(offset)
        ignores = isinstance(window.this, exp.IgnoreNulls)
        if count is None or (ignores and count < 1):
            self.planner.refuse(f"{name} needs a constant offset", f"write {name}(x, 3)", call)
        back = count if (name == "LAG") != ordering.desc else -count
        if ignores:
            counted = self.extra.column(_known(call.this))
            how = {"beyond": back} if back > 0 else {"ahead": -back}
            reach = self._reach(ordering, partition, counted=counted, **how)
        else:
            reach = self._reach(ordering, partition, before=max(0, back), after=max(0, -back))
        made = self._window(window.this, partition, ordering.rows(self.node.pos), None)
        return self._made(ordering, partition, window=made, reach=reach)

    def _window(
        self, function: exp.Expr, partition: Partition, order: list[exp.Expr], spec: exp.Expr | None
    ) -> exp.Window:
        window = exp.Window(this=function.copy(), over="OVER")
        window.set("partition_by", [named(c) for c in partition.columns])
        window.set("order", exp.Order(expressions=order))
        if spec is not None:
            window.set("spec", spec.copy())
        return window

    # -- frames -----------------------------------------------------------------------------------------------------

    def _framed(self, window: exp.Window, name: str, ordering: Ordering, partition: Partition) -> Step:
        function = window.this
        if name in _AS_VALUE and not isinstance(function, exp.Filter) and not function.find(exp.Order, exp.Distinct):
            function = self._as_value(function, name)
            name = name_of(function)
        frame = frame_of(self.planner, window, ordering)
        if frame.kind == "ROWS" and frame.exclude in ("GROUP", "TIES"):
            self.planner.refuse(
                f"EXCLUDE {frame.exclude} of a ROWS frame: its rows have an order of their own, so that none has ties",
                "write GROUPS or RANGE instead of ROWS, or EXCLUDE CURRENT ROW",
                window,
            )
        forward = frame.forward(ordering)
        if name in _VALUES and (forward.start is None or forward.end is None):
            return self._value(window, function, name, ordering, partition, frame)
        if forward.end is None:
            self._refuse_future(window, text(function)) if ordering.desc else self._refuse_unending(window, function)
        if forward.start is None:
            if ordering.desc:
                self._refuse_future(window, text(function))
            return self._running(window, function, name, ordering, partition, frame)
        reach = self._frame_reach(ordering, partition, forward)
        return self._looked(window, function, name, ordering, partition, frame, reach)

    def _as_value(self, function: exp.Expr, name: str) -> exp.Expr:
        inner = bare(function)
        argument = inner.this if isinstance(inner.this, exp.Expr) else inner.expressions[0]
        value: exp.Expr = _AS_VALUE[name](this=argument.copy())
        return exp.IgnoreNulls(this=value) if name == "ANY_VALUE" else value

    def _frame_reach(self, ordering: Ordering, partition: Partition, forward: Frame, **how: object) -> Reach:
        kind = _KINDS[forward.kind]
        # what an open frame ends with, it will look at again for later rows
        nearest = forward.end or 0 if forward.start is None else forward.start
        before = max(0, -nearest)
        after = 0 if forward.end is None else forward.end if kind == "time" else max(0, forward.end)
        return self._reach(ordering, partition, **{"kind": kind, "before": before, "after": after, **how})

    def _looked(
        self,
        window: exp.Window,
        function: exp.Expr,
        name: str,
        ordering: Ordering,
        partition: Partition,
        frame: Frame,
        reach: Reach,
    ) -> Step:
        """A function over a frame that DuckDB sees whole in the rows kept."""
        rows = ordering.rows(self.node.pos)
        order = rows
        if frame.kind == "RANGE" and (frame.start or frame.end or ordering.scale is not None) and not ordering.ties:
            assert ordering.key is not None
            order = [exp.Ordered(this=ordering.key.copy(), desc=ordering.desc or None)]
        elif frame.kind != "ROWS":
            order = ordering.peers()
        if frame.kind != "ROWS":
            function = in_frame_order(function, name, rows)
        made = self._window(function, partition, order, window.args.get("spec"))
        return self._made(ordering, partition, window=made, reach=reach)

    def _value(
        self,
        window: exp.Window,
        function: exp.Expr,
        name: str,
        ordering: Ordering,
        partition: Partition,
        frame: Frame,
    ) -> Step:
        """FIRST_VALUE, LAST_VALUE or NTH_VALUE of a frame that is open at one side or both."""
        ignores = isinstance(function, exp.IgnoreNulls)
        call = bare(function)
        if ordering.desc:
            self._refuse_future(window, text(function))
        if frame.exclude:
            self.planner.refuse(
                f"EXCLUDE {frame.exclude} of an unbounded frame", "bound the frame: ROWS n PRECEDING", window
            )
        open_end = frame.end is None
        if open_end and (name != "FIRST_VALUE" or ignores or (frame.start or 0) > 0):
            self._refuse_unending(window, function)
        how: dict[str, object] = {"counted": self.extra.column(_known(call.this))} if ignores else {}
        if frame.start is None:
            if name == "LAST_VALUE":
                how["beyond"] = 1
            else:
                how["first"] = self._nth(call, window) if name == "NTH_VALUE" else 1
        if name == "FIRST_VALUE" and not ignores and (open_end or (frame.end or 0) >= 0) and frame.start is None:
            how |= {"kind": "rows", "after": 0}  # the first row is known at once
        reach = self._frame_reach(ordering, partition, frame, **how)
        return self._looked(window, function, name, ordering, partition, frame, reach)

    def _nth(self, call: exp.Expr, window: exp.Window) -> int:
        offset = call.args.get("offset")
        count = None if offset is None else _whole(offset)
        if count is None or count < 1:
            self.planner.refuse("NTH_VALUE over an unbounded frame needs a constant n", "write NTH_VALUE(x, 3)", window)
        return count

    # -- running values ---------------------------------------------------------------------------------------------

    def _running(
        self,
        window: exp.Window,
        function: exp.Expr,
        name: str,
        ordering: Ordering,
        partition: Partition,
        frame: Frame,
    ) -> Step:
        frame = self._unexcluded(window, frame)
        peers = frame.kind != "ROWS"
        order = ordering.peers() if peers else ordering.rows(self.node.pos)
        run = self._run(window, function, name, tuple(text(o) for o in order), peers)
        if not frame.end:
            return self._made(ordering, partition, run=run)
        made, reach = self._displaced(window, ordering, partition, frame)
        read: exp.Expr = made
        if name in _ZERO_OF_NONE and frame.end < 0:
            read = exp.Coalesce(this=made, expressions=[exp.Literal.number(0)])
        return self._made(ordering, partition, run=run, window=read, reach=reach)

    def _unexcluded(self, window: exp.Window, frame: Frame) -> Frame:
        """Without EXCLUDE, where it cuts off the end of the frame."""
        if frame.exclude == "CURRENT ROW" and frame.kind == "ROWS" and frame.end == 0:
            return Frame("ROWS", None, -1)
        if frame.exclude == "GROUP" and frame.end == 0:
            return Frame("GROUPS", None, -1)
        if frame.exclude:
            self.planner.refuse(
                f"EXCLUDE {frame.exclude} of an unbounded {frame.kind} frame would need every row anew",
                "subtract the row's own value, or bound the frame",
                window,
            )
        return frame

    def _run(
        self, window: exp.Window, function: exp.Expr, name: str, order: tuple[str, ...], peers: bool
    ) -> RunningCall:
        inner = bare(function)
        plain = not inner.find(exp.Distinct, exp.Order)
        if plain and name in _FOLDS and len(inner.expressions) + bool(inner.args.get("expression")) == 0:
            argument = "" if isinstance(inner.this, exp.Star) or inner.this is None else text(inner.this)
            where = text(function.expression.this) if isinstance(function, exp.Filter) else ""
            return RunningCall("", text(function), name.lower(), order, peers, argument, where)
        call, mergeable = ordered_call(function, self.node.pos)
        if not mergeable or name in _HOARDERS:
            self.planner.refuse(
                f"{text(function)} over an unbounded history would remember every value",
                "aggregate over a window (GROUP BY …, TUMBLE(…)), or bound the frame with ROWS n PRECEDING",
                window,
            )
        return RunningCall("", text(call), "state", order, peers)

    def _displaced(
        self, window: exp.Window, ordering: Ordering, partition: Partition, frame: Frame
    ) -> tuple[exp.Window, Reach]:
        """The running value where the frame ends, when that is not the current row."""
        assert frame.end is not None
        run, rows = named(RUN), ordering.rows(self.node.pos)
        if frame.kind == "ROWS" and frame.end < 0:
            lag = exp.Lag(this=run, offset=exp.Literal.number(-frame.end))
            reach = self._reach(ordering, partition, before=-frame.end)
            return self._window(lag, partition, rows, None), reach
        last = exp.LastValue(this=run)
        written = window.args.get("spec")
        spec = exp.WindowSpec(kind=frame.kind, start="CURRENT ROW")
        if frame.end > 0:
            assert written is not None
            spec.set("end", written.args["end"].copy())
            spec.set("end_side", "FOLLOWING")
            reach = self._frame_reach(ordering, partition, replace(frame, start=0))
        elif frame.kind == "GROUPS":
            bound = exp.Literal.number(-frame.end)
            spec = exp.WindowSpec(
                kind="GROUPS", start=bound, start_side="PRECEDING", end=bound.copy(), end_side="PRECEDING"
            )
            reach = self._frame_reach(ordering, partition, replace(frame, start=frame.end))
        else:
            assert written is not None
            spec = written
            reach = self._frame_reach(ordering, partition, replace(frame, start=frame.end), beyond=1)
        order = rows if frame.kind == "ROWS" else ordering.peers()
        if frame.kind == "RANGE" and ordering.key is not None:
            order = [exp.Ordered(this=ordering.key.copy())]
        return self._window(last, partition, order, spec), reach

    # -- refusals ---------------------------------------------------------------------------------------------------

    def _refuse_whole(self, name: str, window: exp.Window) -> None:
        self.planner.refuse(
            f"{name} must know its whole partition, and a stream has no end",
            "PARTITION BY something that ends, such as window_end or date_trunc('hour', timestamp); "
            "for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY x DESC) <= n, alone",
            window,
        )

    def _refuse_future(self, window: exp.Window, what: str) -> None:
        self.planner.refuse(
            f"{what} OVER (ORDER BY … DESC) would look into the future",
            "order by event time ascending; for the newest n rows per key: "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) <= n, alone",
            window.args["order"].expressions[0],
        )

    def _refuse_unending(self, window: exp.Window, function: exp.Expr) -> None:
        self.planner.refuse(
            f"{text(function)} over a frame to UNBOUNDED FOLLOWING would wait for the end of the stream",
            "end the frame at CURRENT ROW or n FOLLOWING, or PARTITION BY something that ends, such as window_end",
            window,
        )


def in_frame_order(function: exp.Expr, name: str, rows: list[exp.Expr]) -> exp.Expr:
    """The function with an order of its own, where the window's order leaves open which of its peers comes first."""
    if (name not in _VALUES and name not in _IN_ORDER) or function.find(exp.Order, exp.Distinct):
        return function
    function = function.copy()
    call = bare(function)
    if isinstance(call, exp.Anonymous):
        last = call.expressions[-1]
    else:
        arguments = [call.args.get(key) for key in ("this", "expression", "offset", "separator")]
        last = [a for a in arguments if isinstance(a, exp.Expr)][-1]
    order = exp.Order(expressions=[r.copy() for r in rows])
    last.replace(exp.Var(this=f"{text(last)} {text(order)}"))
    return function


def _ends(tree: exp.Expr, lag_us: int) -> exp.Expr:
    """µs: no row of the partition is at or after it."""
    at = exp.Anonymous(this="epoch_us", expressions=[tree.copy()])
    end = exp.Add(this=at, expression=exp.Literal.number(lag_us + 1)) if lag_us + 1 else at
    return exp.Coalesce(this=end, expressions=[exp.Literal.number(WATERMARK_MAX_US)])


def _known(tree: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=exp.paren(tree.copy()), expression=exp.null()))


def _whole(tree: exp.Expr) -> int | None:
    """A whole number literal, perhaps negative."""
    sign, tree = (-1, tree.this) if isinstance(tree, exp.Neg) else (1, tree)
    if isinstance(tree, exp.Literal) and not tree.is_string and tree.name.isdecimal():
        return sign * int(tree.name)
    return None
