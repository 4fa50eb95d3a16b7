"""Framed: window functions that a pair of places in an ordered partition is enough for, without DuckDB's windows.

DuckDB's window operator sorts and hashes every row anew, kept ones included. Rows come in event-time order here, so
their partitions are put together once a tick, for all calls and jobs, and each call is some arithmetic on arrays. What
is computed *from* the windows (the SELECT and its conditions, `Operator.then`) is left to DuckDB, over new rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.engine import frames
from velostream_nb.engine.added import Added
from velostream_nb.engine.arrays import array_of, folds, scale_of, scattered
from velostream_nb.engine.delta import Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Mask, Numbers, Values, Wide
from velostream_nb.engine.history import Extended, History
from velostream_nb.engine.node import Operator
from velostream_nb.engine.over_text import describe_over, results_of
from velostream_nb.engine.slots import can_number
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
        rows: so many rows before the next one are looked back at.
        age_us: and rows of so much time before it; None: rows do not go by age.
    """

    calls: tuple[plan.OverCall, ...]
    history: History
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
        self._types = {field.name: field.type for field in added}
        self._defaults = {call.name: _default(call, duck, results) for call in node.calls if call.frame}
        partitions = dict.fromkeys(call.partition for call in node.calls)
        self._blocks = [_block(node, partition, upstream.schema) for partition in partitions]

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self.held, delta.rows])
        if not rows.num_rows or not (delta.rows.num_rows or delta.watermark_us != self.seen_us[0]):
            return self._given(no_rows(self.schema), delta)
        seen = [block.history.extended(rows) for block in self._blocks]
        ready = self._ready(int64s(rows, TS), seen[0], delta.watermark_us) if self._may_wait else None
        columns: dict[str, pa.Array] = {}
        for block, extended in zip(self._blocks, seen, strict=True):
            bounds = _Bounds(extended)
            columns |= {call.name: self._computed(call, extended, bounds) for call in block.calls}
        out = self.answer(rows, [columns[call.name] for call in self.node.calls], ready)
        for block, extended in zip(self._blocks, seen, strict=True):
            _keep(block, extended, ready, delta.watermark_us)
        return self._given(out, delta)

    def _given(self, rows: pa.Table, delta: Delta) -> Delta:
        """Event time goes no further than the oldest row that waits; what is kept grows old by it."""
        watermark_us = delta.watermark_us
        if self.held.num_rows:
            watermark_us = min(watermark_us, self.held.column(TS)[0].as_py())
        for block in self._blocks:
            block.history.sweep(watermark_us)
        return Delta(rows, watermark_us, many=any(r.waits for r in self.node.reaches))

    def _ready(self, ts: Int64s, seen: Extended, watermark_us: int) -> Mask:
        """Which rows will see no further row in their frames: the first ones of every partition."""
        ready = np.ones(len(ts), dtype=np.bool_)
        if watermark_us >= WATERMARK_MAX_US:
            return ready
        for reach in self.node.reaches:
            if reach.kind == "time" and reach.peers:
                ready &= ts + reach.after < watermark_us
            elif reach.kind == "rows" and reach.after:
                behind = np.repeat(seen.stop, seen.sizes) - seen.places - 1
                ready[seen.order] &= behind >= reach.after
        return ready

    # -- calls ------------------------------------------------------------------------------------------------------

    def _computed(self, call: plan.OverCall, seen: Extended, bounds: _Bounds) -> pa.Array:
        """The call's column, in the order of the rows given."""
        frame = call.frame
        assert frame is not None
        result = self._types[call.name]
        if frame.kind == "lag":
            places, there = bounds.shifted(frame.start)
            return _looked_up(seen, frame.column, places, there, self._defaults[call.name])
        low, high = bounds.of(frame)
        if frame.kind in ("first", "last"):
            there = high > low
            return _looked_up(seen, frame.column, low if frame.kind == "first" else high - 1, there, None)
        values = seen.values(frame.column) if frame.column else None
        count = frames.counted(values, low, high)
        if frame.kind == "count":
            return array_of(Values(scattered(count, seen.order)), result)
        assert values is not None
        valid = scattered(count > 0, seen.order)
        if frame.kind == "sum" and pa.types.is_decimal(result):
            wide = frames.whole_sums(values, low, high)
            return Wide(scattered(wide.high, seen.order), scattered(wide.low, seen.order), valid).array(result)
        if frame.kind == "sum":
            made: Numbers = frames.real_sums(values, low, high)
        elif frame.kind == "avg":
            made = frames.averages(values, low, high, count, scale_of(seen.type(frame.column)))
        else:
            made = frames.extremes(values, low, high, greatest=frame.kind == "max")
        return array_of(Values(scattered(made, seen.order), valid), result)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return describe_over(self.node)

    def tables(self) -> dict[str, pa.Table]:
        kept = {f"kept{i}": block.history.table() for i, block in enumerate(self._blocks) if block.history.columns}
        return {"held": self.held, **kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self.held = tables["held"]
        for i, block in enumerate(self._blocks):
            if block.history.columns:
                block.history.load(tables[f"kept{i}"])

    def state_size(self) -> tuple[int, int]:
        kept = sum(block.history.rows for block in self._blocks)
        return kept + self.held.num_rows, sum(b.history.nbytes for b in self._blocks) + self.held.nbytes


def _default(call: plan.OverCall, duck: Duck, results: pa.Schema) -> pa.Scalar:
    """The constant that stands for a row which is not there, in the type of the result."""
    dtype = results.field(call.name).type
    if call.frame is None or call.frame.default is None:
        return pa.scalar(None, dtype)
    feed = duck.feed(pa.schema([pa.field("x", dtype)]))
    feed.rows = pa.table([pa.nulls(1, dtype)], schema=feed.schema)
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
    columns = {call.frame.column for call in calls if call.frame is not None and call.frame.column} | {TS}
    kept = {name: schema.field(name).type for name in sorted(columns)} if rows or age_us is not None else {}
    by_time = age_us is not None or any(call.frame is not None and call.frame.unit == "time" for call in calls)
    if not by_time and len(kept) > 1:  # alone, it stands for the rows that are counted
        kept.pop(TS)
    history = History([schema.field(name) for name in partition], kept, rows=rows, age_us=age_us)
    return _Block(calls, history, rows, age_us)


class _Bounds:
    """Frames as places, in the order of `Extended.places`; each pair of bounds is found once."""

    def __init__(self, seen: Extended) -> None:
        self._seen = seen
        self._first = np.repeat(seen.first, seen.sizes)
        self._stop = np.repeat(seen.stop, seen.sizes)
        self._known: dict[tuple[str, int, int], tuple[Int64s, Int64s]] = {}

    def shifted(self, rows: int) -> tuple[Int64s, Mask]:
        """(places so many rows on, whether those are in the partition)."""
        places = self._seen.places + rows
        return places, places >= self._first if rows <= 0 else places < self._stop

    def of(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        """(low, high) of every row's frame."""
        key = frame.unit, frame.start, frame.end
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._rows(frame) if frame.unit == "rows" else self._time(frame)
        return found

    def _rows(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        places = self._seen.places
        low = np.minimum(np.maximum(places + frame.start, self._first), self._stop)
        return low, np.maximum(np.minimum(places + (frame.end + 1), self._stop), low)

    def _time(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        seen = self._seen
        ts = seen.values(TS).numbers.astype(np.int64, copy=False)
        low = _searched(ts, seen, frame.start, "left")
        return low, np.maximum(_searched(ts, seen, frame.end, "right"), low)


def _searched(ts: Int64s, seen: Extended, offset_us: int, side: Literal["left", "right"]) -> Int64s:
    """Per row, where its own time and `offset_us` would be put among the times of its partition."""
    base, span = int(ts.min()), int(ts.max()) - int(ts.min())
    wanted = np.clip(ts[seen.places] - base + offset_us, -1, span + 1)
    parts = len(seen.first)
    if parts * (span + 3) < 1 << 62:
        # one partition after another on one axis
        number = np.arange(parts) * (span + 3)
        axis = ts - base + np.repeat(number, seen.stop - seen.first)
        return np.searchsorted(axis, wanted + np.repeat(number, seen.sizes), side=side)
    found = np.empty(len(wanted), dtype=np.int64)
    ends = np.cumsum(seen.sizes)
    for first, stop, end, size in zip(seen.first, seen.stop, ends, seen.sizes, strict=True):
        mine = slice(end - size, end)
        found[mine] = first + np.searchsorted(ts[first:stop] - base, wanted[mine], side=side)
    return found


def _looked_up(seen: Extended, column: str, places: Int64s, there: Mask, default: pa.Scalar | None) -> pa.Array:
    """The column's values at places, or the default, in the order of the rows given."""
    everywhere = bool(there.all())
    some = places if everywhere else np.where(there, places, 0)
    given = seen.at(column, some)
    if isinstance(given, Values):
        valid = given.valid if everywhere else there if given.valid is None else there & given.valid
        valid = None if valid is None else scattered(valid, seen.order)
        found = array_of(Values(scattered(given.numbers, seen.order), valid), seen.type(column))
        plain = default is None or not default.is_valid
    else:
        found = given.take(pa.array(scattered(np.arange(len(some)), seen.order)))
        plain = False
    if everywhere or plain:
        return found
    absent = default if default is not None else pa.scalar(None, found.type)
    return pc.if_else(pa.array(scattered(there, seen.order)), found, absent)


def _keep(block: _Block, seen: Extended, ready: Mask | None, watermark_us: int) -> None:
    """Keep of every partition what the rows that wait, or rows to come, look back at."""
    history = block.history
    if watermark_us >= WATERMARK_MAX_US:
        history.clear()
    if not history.columns or watermark_us >= WATERMARK_MAX_US:
        return
    given = seen.sizes
    if ready is not None:
        given = np.add.reduceat(ready[seen.order].astype(np.int64), np.cumsum(given) - given)
    next_ = seen.fresh + given
    low = np.maximum(next_ - block.rows, seen.first)
    if block.age_us is not None:
        ts = seen.values(TS).numbers.astype(np.int64, copy=False)
        waiting = ts[np.minimum(next_, seen.stop - 1)]
        now = np.where(next_ < seen.stop, np.minimum(waiting, watermark_us), watermark_us)
        aged = np.concatenate(([0], np.cumsum(ts < np.repeat(now - block.age_us, seen.stop - seen.first))))
        low = np.minimum(low, seen.first + aged[seen.stop] - aged[seen.first])
    history.replace(seen, low, next_)
