"""Framed: window functions that a pair of places in an ordered partition is enough for, without DuckDB's windows.

DuckDB's window operator sorts and hashes every row anew, kept ones included. Rows come in event-time order here, so
their partitions are put together once a tick, for all calls and jobs, and each call is some arithmetic on arrays. What
is computed *from* the windows (the SELECT and its conditions, `Operator.then`) is left to DuckDB, over new rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS
from velostream_nb.core.vectors import vector
from velostream_nb.engine import frames
from velostream_nb.engine.added import Added
from velostream_nb.engine.arrays import array_of, folds, scale_of
from velostream_nb.engine.delta import Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.extended import Extended
from velostream_nb.engine.frame_bounds import Bounds
from velostream_nb.engine.frames import Mask, Numbers, Values, Wide
from velostream_nb.engine.history import History, Passing
from velostream_nb.engine.key_numbering import can_number
from velostream_nb.engine.node import Operator
from velostream_nb.engine.over_text import describe_over, results_of
from velostream_nb.sql import plan


def can_frame(node: plan.Over, schema: pa.Schema, results: pa.Schema) -> bool:
    """Can all calls of a node be framed, given the types of its input and DuckDB's of what they give?"""
    partitions = {call.partition for call in node.calls}
    if any(reach.kind == "rows" and reach.after > 0 for reach in node.reaches) and len(partitions) > 1:
        return False  # the rows that wait would not be the last ones of every partition
    keys = all(can_number(schema.field(name).type) for partition in partitions for name in partition)
    return keys and all(map(_is_plain, node.reaches)) and all(_fits(call, schema, results) for call in node.calls)


def _is_plain(reach: plan.Reach) -> bool:
    counts = reach.counted is not None or reach.first or reach.beyond or reach.ahead
    return reach.kind in ("rows", "time") and reach.unit_us == 1 and reach.ends is None and not (reach.loose or counts)


def _fits(call: plan.OverCall, schema: pa.Schema, results: pa.Schema) -> bool:
    """Is the result of the type that we would give?"""
    frame, result = call.frame, results.field(call.name).type
    if frame is None:
        return False
    if frame.kind == "count":
        return bool(result == pa.int64())
    if not frame.column:
        return False
    given = schema.field(frame.column).type
    return result == given if frame.kind in ("lag", "first", "last") else folds(frame.kind, given, result)


@dataclass(frozen=True, slots=True)
class _Block:
    """The calls of one partitioning.

    Attributes:
        history: what rows look at; of rows before the tick, when these are `kept`.
        rows: so many rows before the next one are looked back at.
        age_us: and rows of so much time before it; None: rows do not go by age.
    """

    calls: tuple[plan.OverCall, ...]
    history: History | Passing
    kept: History | None
    rows: int
    age_us: int | None


class Framed(Added):
    """Adds a column a call to the rows whose frames are complete; the others wait."""

    name = "over"
    node: plan.Over

    def __init__(
        self,
        node: plan.Over,
        duck: Duck,
        account: Account,
        upstream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        results = results_of(node, duck, upstream.schema)
        added = [results.field(call.name) for call in node.calls]
        super().__init__(node, duck, account, upstream, added, then=then)
        self._may_wait = any(reach.waits or reach.peers for reach in node.reaches)
        self._many = any(reach.waits for reach in node.reaches)
        self._given_types = {field.name: field.type for field in upstream.schema}
        self._types = {field.name: field.type for field in added}
        self._defaults = {call.name: _default(call, duck, results) for call in node.calls if call.frame}
        partitions = dict.fromkeys(call.partition for call in node.calls)
        self._blocks = [_block(node, partition, upstream.schema) for partition in partitions]

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self.held, delta.rows]) if self.held.num_rows else delta.rows
        if not rows.num_rows or not (delta.rows.num_rows or delta.watermark_us != self.seen_us[0]):
            return self._given(self.nothing, delta)
        seen = [block.history.extended(rows) for block in self._blocks]
        ready = self._ready(int64s(rows, TS), seen[0], delta.watermark_us) if self._may_wait else None
        columns: dict[str, pa.Array] = {}
        for block, extended in zip(self._blocks, seen, strict=True):
            bounds = Bounds(extended)
            for call in block.calls:
                columns[call.name] = self._computed(call, extended, bounds)
        out = self.answer(rows, [columns[call.name] for call in self.node.calls], ready)
        for block, extended in zip(self._blocks, seen, strict=True):
            if block.kept is not None:
                _keep(block, block.kept, extended, ready, delta.watermark_us)
        return self._given(out, delta)

    def _given(self, rows: pa.Table, delta: Delta) -> Delta:
        """Event time goes no further than the oldest row that waits; what is kept grows old by it."""
        watermark_us = delta.watermark_us
        if self.held.num_rows:
            watermark_us = min(watermark_us, self.held.column(TS)[0].as_py())
        for block in self._blocks:
            if block.kept is not None:
                block.kept.sweep(watermark_us)
        return Delta(rows, watermark_us, many=self._many)

    def _ready(self, ts: Int64s, seen: Extended, watermark_us: int) -> Mask:
        """Which rows will see no further row in their frames: the first ones of every partition."""
        ready = np.ones(len(ts), dtype=np.bool_)
        if watermark_us >= WATERMARK_MAX_US:
            return ready
        for reach in self.node.reaches:
            if reach.kind == "time" and reach.peers:
                ready &= ts + reach.after < watermark_us
            elif reach.kind == "rows" and reach.after:
                ready &= seen.places + reach.after < seen.spread(seen.stop)
        return ready

    # -- calls ------------------------------------------------------------------------------------------------------

    def _computed(self, call: plan.OverCall, seen: Extended, bounds: Bounds) -> pa.Array:
        """The call's column, in the order of the rows given."""
        frame = call.frame
        assert frame is not None
        result = self._types[call.name]
        if frame.kind == "lag":
            places, there = bounds.shifted(frame.start)
            return _looked_up(seen, frame.column, places, there, self._defaults[call.name], result)
        low, high = bounds.of(frame)
        if frame.kind in ("first", "last"):
            places = (low if frame.kind == "first" else high - 1) + (seen.first - seen.dense_first).repeat(seen.sizes)
            return _looked_up(seen, frame.column, seen.given(places), seen.given(high > low), None, result)
        values = seen.dense(frame.column) if frame.column else None
        count = frames.counted(values, low, high)
        if frame.kind == "count":
            return array_of(Values(seen.given(count)), result)
        assert values is not None
        there = count > 0
        valid = None if there.all() else seen.given(there)
        if frame.kind == "sum" and pa.types.is_decimal(result):
            wide = frames.whole_sums(values, low, high)
            return Wide(seen.given(wide.high), seen.given(wide.low), valid).array(result)
        if frame.kind == "sum":
            made: Numbers = frames.real_sums(values, low, high)
        elif frame.kind == "avg":
            made = frames.averages(values, low, high, count, scale_of(self._given_types[frame.column]))
        else:
            made = frames.extremes(values, low, high, greatest=frame.kind == "max")
        return array_of(Values(seen.given(made), valid), result)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return describe_over(self.node)

    def tables(self) -> dict[str, pa.Table]:
        kept = {f"kept{i}": block.kept.table() for i, block in enumerate(self._blocks) if block.kept is not None}
        return {"held": self.held, **kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self.held = tables["held"]
        for i, block in enumerate(self._blocks):
            if block.kept is not None:
                block.kept.load(tables[f"kept{i}"])

    def state_size(self) -> tuple[int, int]:
        kept = [block.kept for block in self._blocks if block.kept is not None]
        rows, size = sum(history.rows for history in kept), sum(history.nbytes for history in kept)
        return rows + self.held.num_rows, size + self.held.nbytes


def _default(call: plan.OverCall, duck: Duck, results: pa.Schema) -> pa.Scalar:
    """The constant that stands for a row which is not there, in the type of the result."""
    nothing = pa.nulls(1, results.field(call.name).type)
    if call.frame is None or call.frame.default is None:
        return nothing[0]
    feed = duck.feed(pa.schema([pa.field("x", nothing.type)]))
    feed.rows = pa.Table.from_arrays([nothing], schema=feed.schema)
    try:
        found = duck.evaluate(f"SELECT lag(x, 1, {call.frame.default}) OVER () AS x FROM {feed.name}")
    finally:
        duck.drop(feed)
    return found.column(0)[0]


def _block(node: plan.Over, partition: tuple[str, ...], schema: pa.Schema) -> _Block:
    calls = tuple(call for call in node.calls if call.partition == partition)
    reaches = [reach for reach in node.reaches if reach.partition == partition]
    rows = max((reach.before for reach in reaches if reach.kind == "rows"), default=0)
    age_us = max((reach.before for reach in reaches if reach.kind == "time" and reach.before), default=None)
    names = {call.frame.column for call in calls if call.frame is not None and call.frame.column}
    by_time = age_us is not None or any(call.frame is not None and call.frame.unit == "time" for call in calls)
    if by_time or not names:  # alone, it stands for the rows that are counted
        names.add(TS)
    columns = {name: schema.field(name).type for name in sorted(names)}
    fields = [schema.field(name) for name in partition]
    if not rows and age_us is None:
        return _Block(calls, Passing(fields, columns), None, rows, age_us)
    kept = History(fields, columns, rows=rows, age_us=age_us)
    return _Block(calls, kept, kept, rows, age_us)


def _looked_up(
    seen: Extended, column: str, places: Int64s, there: Mask | None, default: pa.Scalar | None, result: pa.DataType
) -> pa.Array:
    """The column's values at places, or the default where those are not `there` (None: all are)."""
    if there is not None and there.all():
        there = None
    given = seen.at(column, places if there is None else np.where(there, places, seen.places))
    plain = default is None or not default.is_valid
    if isinstance(given, Values):
        valid = given.valid
        if there is not None:
            valid = there if valid is None else there & valid
        found = array_of(Values(given.numbers, valid), result)
    else:
        found, plain = given, False
    if there is None or plain:
        return found
    absent = default if default is not None else pa.nulls(1, result)[0]
    return pc.if_else(vector(there), found, absent)


def _keep(block: _Block, history: History, seen: Extended, ready: Mask | None, watermark_us: int) -> None:
    """Keep of every partition what the rows that wait, or rows to come, look back at."""
    if watermark_us >= WATERMARK_MAX_US:
        history.clear()
        return
    if ready is None:
        next_ = seen.stop
    else:
        next_ = seen.fresh + np.add.reduceat(ready[seen.order].astype(np.int64), seen.starts)
    low = np.maximum(next_ - block.rows, seen.first)
    if block.age_us is not None:
        low = np.minimum(low, _aged(seen, next_, watermark_us, block.age_us))
    history.keep(seen, low, next_)


def _aged(seen: Extended, next_: Int64s, watermark_us: int, age_us: int) -> Int64s:
    """Of the partitions: the first place that the row at `next_`, or one still to come, looks back at by its age."""
    ts = seen.dense(TS).numbers.astype(np.int64, copy=False)
    gap = seen.first - seen.dense_first
    waiting = ts[np.minimum(next_, seen.stop - 1) - gap]
    now = np.where(next_ < seen.stop, np.minimum(waiting, watermark_us), watermark_us)
    older = np.concatenate(([0], np.cumsum(ts < np.repeat(now - age_us, seen.stop - seen.first))))
    found: Int64s = seen.first + older[seen.stop - gap] - older[seen.dense_first]
    return found
