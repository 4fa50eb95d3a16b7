"""One window function at a time: what it has to remember, and what it has to wait for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from velostream_nb.sql.aggregates import ordered_call
from velostream_nb.sql.plan import FrameCall, Node, Reach, RunningCall
from velostream_nb.sql.plan_over_frame import Frame, Ordering, frame_of, ordering_of
from velostream_nb.sql.plan_over_function import (
    HOARDERS,
    RANKS,
    SHIFTS,
    VALUES,
    WHOLE,
    ZERO_OF_NONE,
    as_value,
    bare,
    filtered_values,
    folded,
    ignores_nulls,
    in_frame_order,
    name_of,
    plain,
    whole_number,
)
from velostream_nb.sql.plan_over_partition import Extra, Partition
from velostream_nb.sql.scope import named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

RUN = "__run"
"""Stands for the column of a step's running value in the window function that reads it."""

_KINDS = {"ROWS": "rows", "GROUPS": "groups", "RANGE": "time"}


@dataclass(frozen=True, slots=True)
class Step:
    """How a window function is computed over ordered rows: a running value, a look at the rows near by, or both.

    Attributes:
        run: the running value; its name is not given yet.
        look: what is computed over the rows kept; reads the running value as `RUN`.
        reach: how far that looks.
        frame: what it looks at, where that can be said in numbers.
        values: what is aggregated or looked up, NULL where a FILTER leaves it out; None where that is rows, and for
            calls that are not so plain.
    """

    ordering: Ordering
    partition: Partition
    run: RunningCall | None = None
    look: exp.Expr | None = None
    reach: Reach | None = None
    frame: FrameCall | None = None
    values: exp.Expr | None = None

    @property
    def strict(self) -> bool:
        """Must rows wait for all rows of their unit of event time?"""
        run = self.run is not None and self.run.peers
        return bool(self.ordering.ties) or run or (self.reach is not None and self.reach.peers)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A window function taken apart."""

    window: exp.Window
    function: exp.Expr
    ordering: Ordering
    partition: Partition
    frame: Frame

    @property
    def name(self) -> str:
        return name_of(self.function)

    @property
    def reach(self) -> Reach:
        """How far it looks when it looks at the current row alone."""
        ordering, partition = self.ordering, self.partition
        return Reach(partition.columns, loose=bool(ordering.ties), unit_us=ordering.unit_us, ends=partition.ends)

    @property
    def frame_reach(self) -> Reach:
        forward = self.frame.forward(self.ordering)
        kind = _KINDS[forward.kind]
        # what an open frame ends with, it will look at again for later rows
        nearest = forward.end or 0 if forward.start is None else forward.start
        after = forward.end or 0
        return replace(self.reach, kind=kind, before=max(0, -nearest), after=after if kind == "time" else max(0, after))


class Calls:
    """Plans the window functions of one SELECT over an append-only node."""

    def __init__(self, planner: Planner, node: Node) -> None:
        self.planner = planner
        self.node = node
        self.extra = Extra(node)

    def step(self, window: exp.Window) -> Step:
        """Plan it over event-time order; UnsupportedError when that cannot be incremental."""
        asked = _Asked(
            window, as_value(window.this), self._ordering(window), self.extra.partition(window), Frame("ROWS", None, 0)
        )
        if asked.name in WHOLE:
            self._refuse_whole(asked)
        if asked.name in RANKS:
            step = self._rank(asked)
        elif asked.name in SHIFTS:
            step = self._shift(asked)
        else:
            step = self._framed(replace(asked, frame=frame_of(self.planner, window, asked.ordering)))
        if not asked.ordering.given:
            what = "LAG" if asked.name == "LAG" else plain(window.this)
            how = "is the running value up to each row" if step.run is not None else "follows event time"
            self.planner.note(f"{what} OVER without ORDER BY {how}")
        return step

    def _ordering(self, window: exp.Window) -> Ordering:
        order = window.args.get("order")
        ordering = ordering_of(order, self.node)
        if ordering is None:
            assert isinstance(order, exp.Expr)
            self._refuse_order(order)
        return ordering

    def _refuse_order(self, order: exp.Expr) -> NoReturn:
        written = plain(order).removeprefix("ORDER BY").strip()
        time = next((c for c, lag in self.node.time.items() if lag == 0), next(iter(self.node.time), "timestamp()"))
        self.planner.refuse(
            f"OVER (ORDER BY {written}) cannot be incremental: a stream is ordered by event time",
            f"ORDER BY {time}; for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key "
            f"ORDER BY {written}) <= n, alone; or PARTITION BY something that ends, such as window_end",
            order.expressions[0],
        )

    # -- ranks and shifts -------------------------------------------------------------------------------------------

    def _rank(self, asked: _Asked) -> Step:
        name, ordering = asked.name, asked.ordering
        if name != "ROW_NUMBER" and not ordering.given:
            self.planner.refuse(f"{name} needs ORDER BY", "order by event time", asked.window)
        if ordering.desc:
            self._refuse_future(asked)
        numbered = name == "ROW_NUMBER"
        order = ordering.rows(self.node.pos) if numbered else ordering.peers()
        run = RunningCall("", text(asked.function), name.lower(), _texts(order), peers=not numbered)
        return Step(ordering, asked.partition, run=run)

    def _shift(self, asked: _Asked) -> Step:
        name, call = asked.name, bare(asked.function)
        offset = call.args.get("offset")
        count = 1 if offset is None else whole_number(offset)
        ignores = ignores_nulls(asked.function)
        if count is None or (ignores and count < 1):
            self.planner.refuse(f"{name} needs a constant offset", f"write {name}(x, 3)", asked.window)
        back = count if (name == "LAG") != asked.ordering.desc else -count
        reach = replace(asked.reach, before=max(0, back), after=max(0, -back))
        if ignores:
            counted = self.extra.known(call.this)
            reach = replace(asked.reach, counted=counted, beyond=max(0, back), ahead=max(0, -back))
        look = _over(asked.function, asked.partition, asked.ordering.rows(self.node.pos))
        step = Step(asked.ordering, asked.partition, look=look, reach=reach)
        default = call.args.get("default")
        if ignores or not (default is None or _is_constant(default)):
            return step
        frame = FrameCall("lag", "", "rows", -back, -back, None if default is None else text(default))
        return replace(step, frame=frame, values=call.this)

    # -- frames -----------------------------------------------------------------------------------------------------

    def _framed(self, asked: _Asked) -> Step:
        frame = asked.frame
        if frame.kind == "ROWS" and frame.exclude in ("GROUP", "TIES"):
            self.planner.refuse(
                f"EXCLUDE {frame.exclude} of a ROWS frame: its rows have an order of their own, so that none has ties",
                "write GROUPS or RANGE instead of ROWS, or EXCLUDE CURRENT ROW",
                asked.window,
            )
        forward = frame.forward(asked.ordering)
        if forward.start is not None and forward.end is not None:
            return self._looked(asked, asked.frame_reach)
        if asked.ordering.desc:
            self._refuse_future(asked)
        if asked.name in VALUES:
            return self._value(asked)
        if forward.end is None:
            self._refuse_unending(asked)
        return self._running(asked)

    def _looked(self, asked: _Asked, reach: Reach) -> Step:
        """A function over a frame that DuckDB sees whole in the rows kept."""
        ordering, frame = asked.ordering, asked.frame
        rows = ordering.rows(self.node.pos)
        function, order = asked.function, rows
        if frame.kind != "ROWS":
            function, order = in_frame_order(function, rows), ordering.frame_order(frame)
        look = _over(function, asked.partition, order, asked.window.args.get("spec"))
        step = Step(ordering, asked.partition, look=look, reach=reach)
        kind = _frame_kind(asked)
        forward = frame.forward(ordering)
        if kind is None or forward.start is None or forward.end is None:
            return step
        unit = "rows" if frame.kind == "ROWS" else "time"
        return replace(
            step, frame=FrameCall(kind, "", unit, forward.start, forward.end), values=filtered_values(asked.function)
        )

    def _value(self, asked: _Asked) -> Step:
        """FIRST_VALUE, LAST_VALUE or NTH_VALUE of a frame that is open at one side or both."""
        frame, name, ignores = asked.frame, asked.name, ignores_nulls(asked.function)
        if frame.exclude:
            hint = "bound the frame: ROWS n PRECEDING"
            self.planner.refuse(f"EXCLUDE {frame.exclude} of an unbounded frame", hint, asked.window)
        if frame.end is None and (name != "FIRST_VALUE" or ignores or (frame.start or 0) > 0):
            self._refuse_unending(asked)
        call = bare(asked.function)
        reach = asked.frame_reach
        if ignores:
            reach = replace(reach, counted=self.extra.known(call.this))
        if frame.start is None and name == "LAST_VALUE":
            reach = replace(reach, beyond=1)
        elif frame.start is None:
            reach = replace(reach, first=self._nth(asked, call))
            if name == "FIRST_VALUE" and not ignores and (frame.end or 0) >= 0:
                reach = replace(reach, kind="rows", after=0)  # the first row is known at once
        return self._looked(asked, reach)

    def _nth(self, asked: _Asked, call: exp.Expr) -> int:
        offset = call.args.get("offset")
        count = 1 if asked.name == "FIRST_VALUE" else None if offset is None else whole_number(offset)
        if count is None or count < 1:
            what = "NTH_VALUE over an unbounded frame needs a constant n"
            self.planner.refuse(what, "write NTH_VALUE(x, 3)", asked.window)
        return count

    # -- running values ---------------------------------------------------------------------------------------------

    def _running(self, asked: _Asked) -> Step:
        frame = self._unexcluded(asked)
        peers = frame.kind != "ROWS"
        order = asked.ordering.peers() if peers else asked.ordering.rows(self.node.pos)
        run = self._run(asked, _texts(order), peers)
        values = None if run.kind == "state" else filtered_values(asked.function)
        step = Step(asked.ordering, asked.partition, run=run, values=values)
        if not frame.end:
            return step
        look, reach = self._displaced(replace(asked, frame=frame))
        if asked.name in ZERO_OF_NONE and frame.end < 0:
            look = exp.Coalesce(this=look, expressions=[exp.Literal.number(0)])
        return replace(step, look=look, reach=reach)

    def _unexcluded(self, asked: _Asked) -> Frame:
        """Without EXCLUDE, where it cuts off the end of the frame."""
        frame = asked.frame
        if frame.exclude == "CURRENT ROW" and frame.kind == "ROWS" and frame.end == 0:
            return Frame("ROWS", None, -1)
        if frame.exclude == "GROUP" and frame.end == 0:
            return Frame("GROUPS", None, -1)
        if frame.exclude:
            self.planner.refuse(
                f"EXCLUDE {frame.exclude} of an unbounded {frame.kind} frame would need every row anew",
                "subtract the row's own value, or bound the frame",
                asked.window,
            )
        return frame

    def _run(self, asked: _Asked, order: tuple[str, ...], peers: bool) -> RunningCall:
        parts = folded(asked.function)
        if parts is not None:
            return RunningCall("", text(asked.function), asked.name.lower(), order, peers, *parts)
        call, mergeable = ordered_call(asked.function, self.node.pos)
        if not mergeable or asked.name in HOARDERS:
            self.planner.refuse(
                f"{plain(asked.function)} over an unbounded history would remember every value",
                "aggregate over a window (GROUP BY …, TUMBLE(…)), or bound the frame with ROWS n PRECEDING",
                asked.window,
            )
        return RunningCall("", text(call), "state", order, peers)

    def _displaced(self, asked: _Asked) -> tuple[exp.Expr, Reach]:
        """The running value where the frame ends, when that is not the current row."""
        frame, partition = asked.frame, asked.partition
        assert frame.end is not None
        run, rows = named(RUN), asked.ordering.rows(self.node.pos)
        if frame.kind == "ROWS" and frame.end < 0:
            lag = exp.Lag(this=run, offset=exp.Literal.number(-frame.end))
            return _over(lag, partition, rows), replace(asked.reach, before=-frame.end)
        spec: exp.Expr = asked.window.args["spec"]
        start = frame.end
        if frame.end > 0:
            end = spec.args["end"].copy()
            spec, start = exp.WindowSpec(kind=frame.kind, start="CURRENT ROW", end=end, end_side="FOLLOWING"), 0
        elif frame.kind == "GROUPS":
            at = exp.Literal.number(-frame.end)
            sides = {"start_side": "PRECEDING", "end_side": "PRECEDING"}
            spec = exp.WindowSpec(kind="GROUPS", start=at, end=at.copy(), **sides)
        reach = replace(asked, frame=replace(frame, start=start)).frame_reach
        if frame.kind == "RANGE" and frame.end < 0:
            reach = replace(reach, beyond=1)
        order = rows if frame.kind == "ROWS" else asked.ordering.frame_order(frame)
        return _over(exp.LastValue(this=run), partition, order, spec), reach

    # -- refusals ---------------------------------------------------------------------------------------------------

    def _refuse_whole(self, asked: _Asked) -> NoReturn:
        self.planner.refuse(
            f"{asked.name} must know its whole partition, and a stream has no end",
            "PARTITION BY something that ends, such as window_end or date_trunc('hour', timestamp); "
            "for the best n rows per key: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY x DESC) <= n, alone",
            asked.window,
        )

    def _refuse_future(self, asked: _Asked) -> NoReturn:
        self.planner.refuse(
            f"{plain(asked.function)} OVER (ORDER BY … DESC) would look into the future",
            "order by event time ascending; for the newest n rows per key: "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) <= n, alone",
            asked.window.args["order"].expressions[0],
        )

    def _refuse_unending(self, asked: _Asked) -> NoReturn:
        self.planner.refuse(
            f"{plain(asked.function)} over a frame to UNBOUNDED FOLLOWING would wait for the end of the stream",
            "end the frame at CURRENT ROW or n FOLLOWING, or PARTITION BY something that ends, such as window_end",
            asked.window,
        )


def _frame_kind(asked: _Asked) -> str | None:
    """`FrameCall.kind` of a function over a bounded frame; None when it is none of these."""
    frame, ordering = asked.frame, asked.ordering
    in_time = frame.kind == "RANGE" and ordering.given and ordering.scale is None
    if frame.exclude or ordering.ties or not (frame.kind == "ROWS" or in_time):
        return None
    if asked.name in ("FIRST_VALUE", "LAST_VALUE"):
        plain_call = asked.function is bare(asked.function) and not asked.function.find(exp.Order)
        first = (asked.name == "FIRST_VALUE") != ordering.desc
        return None if not plain_call else "first" if first else "last"
    return asked.name.lower() if folded(asked.function) is not None else None


def _is_constant(tree: exp.Expr) -> bool:
    tree = tree.this if isinstance(tree, exp.Neg) else tree
    return isinstance(tree, exp.Literal | exp.Null | exp.Boolean)


def _texts(order: list[exp.Expr]) -> tuple[str, ...]:
    return tuple(text(o) for o in order)


def _over(function: exp.Expr, partition: Partition, order: list[exp.Expr], spec: exp.Expr | None = None) -> exp.Expr:
    window = exp.Window(this=function.copy(), over="OVER")
    window.set("partition_by", [named(c) for c in partition.columns])
    window.set("order", exp.Order(expressions=[o.copy() for o in order]))
    if spec is not None:
        window.set("spec", spec.copy())
    return window
