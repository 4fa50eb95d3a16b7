"""Accumulated: running sums, counts, extremes and ranks per partition, added up row after row.

A value is carried from tick to tick and goes on with the next row of its partition, in event-time order: how the rows
were cut into batches makes no difference, not even in the last bit of a sum of doubles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.engine import frames
from velostream_nb.engine.added import Added
from velostream_nb.engine.arrays import (
    Scalar,
    array_of,
    folds,
    number_type,
    scale_of,
    scattered,
    validity_of,
    values_of,
)
from velostream_nb.engine.codes import Parted, parted
from velostream_nb.engine.delta import Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.frames import Values, Wide
from velostream_nb.engine.node import Operator
from velostream_nb.engine.running_text import describe_running
from velostream_nb.engine.slots import Slots, can_number
from velostream_nb.sql import plan

_SHORT = 16
"""Up to so many rows of a partition are taken along with those of all other partitions, one at a time."""


def can_accumulate(node: plan.Carried, schema: pa.Schema, results: pa.Schema) -> bool:
    """Can all calls be added up here, given the types of the input and DuckDB's of what they give?"""
    if node.unit_us != 1 or node.ends is not None:
        return False
    keys = all(can_number(schema.field(name).type) for name in node.partition)
    return keys and all(_fits(call, node, schema, results.field(call.name).type) for call in node.calls)


def _fits(call: plan.RunningCall, node: plan.Carried, schema: pa.Schema, result: pa.DataType) -> bool:
    if len(call.order) != (1 if call.peers else 1 + len(node.pos)):
        return False  # it has an order of its own among rows of one time
    if call.column is None:
        return not (call.argument or call.where) and bool(result == pa.int64())
    return (
        bool(result == pa.int64()) if call.kind == "count" else folds(call.kind, schema.field(call.column).type, result)
    )


def results_of(node: plan.Carried, duck: Duck, schema: pa.Schema) -> pa.Schema:
    """The types that DuckDB's own window functions give."""
    feed = duck.feed(schema)
    calls = ", ".join(f"{c.call} OVER (ORDER BY {', '.join(c.order)}) AS {quote(c.name)}" for c in node.calls)
    try:
        return duck.schema_of(f"SELECT {calls} FROM {feed.name} AS __in")
    finally:
        duck.drop(feed)


class Accumulated(Added):
    """Adds a column a call; what is carried of a partition is a few numbers."""

    name = "running"
    node: plan.Carried

    def __init__(
        self,
        node: plan.Carried,
        duck: Duck,
        account: Account,
        upstream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        results = results_of(node, duck, upstream.schema)
        added = [results.field(call.name) for call in node.calls]
        super().__init__(node, duck, account, upstream, added, then=then)
        self._partition = [upstream.schema.field(name) for name in node.partition]
        self._results = {field.name: field.type for field in added}
        self._carried = {call.name: _Carried(call, upstream.schema) for call in node.calls}
        self._slots = Slots(self._partition)

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self.held, delta.rows])
        if not rows.num_rows:
            return Delta(no_rows(self.schema), delta.watermark_us)
        ts = int64s(rows, TS)
        strict = self.node.strict and delta.watermark_us < WATERMARK_MAX_US
        ready = ts < delta.watermark_us if strict else None
        run = _Run(parted(rows, self.node.partition), ts)
        keys = self._slots.keys(rows, run.order[run.starts])
        slots = self._slots.find(keys)
        made = {call.name: self._carried[call.name].over(rows, run, slots) for call in self.node.calls}
        columns = [c.array(made[name], run, self._results[name]) for name, c in self._carried.items()]
        out = self.answer(rows, columns, ready)
        slots = self._slots.add(keys, slots)
        last = run.last(ready)
        some = np.flatnonzero(last >= run.starts)
        for name, carried in self._carried.items():
            carried.keep(made[name], slots[some], last[some], len(self._slots))
        return Delta(out, delta.watermark_us)

    def describe(self) -> str:
        return describe_running(self.node, "their last values")

    def tables(self) -> dict[str, pa.Table]:
        count = len(self._slots)
        keys = self._slots.columns(np.arange(count))
        every = [(f"{name}_{part}", n) for name, c in self._carried.items() for part, n in c.parts.items()]
        # copied: what is carried changes in place
        parts = [(name, pa.array(numbers[:count].copy())) for name, numbers in every]
        names = [*self.node.partition, *(name for name, _ in parts)]
        return {"held": self.held, "carried": pa.table([*keys, *(array for _, array in parts)], names=names)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self.held, carried = tables["held"], tables["carried"]
        self._slots = Slots(self._partition)
        keys = self._slots.keys(carried, np.arange(carried.num_rows))
        self._slots.add(keys, self._slots.find(keys))
        for name, call in self._carried.items():
            call.parts = {part: carried.column(f"{name}_{part}").to_numpy().copy() for part in call.parts}

    def state_size(self) -> tuple[int, int]:
        size = sum(part.nbytes for carried in self._carried.values() for part in carried.parts.values())
        return len(self._slots) + self.held.num_rows, size + 100 * len(self._slots) + self.held.nbytes


class _Run:
    """A tick's rows, partition by partition in event-time order.

    Attributes:
        order: the rows given, in that order; the other arrays are parallel to it, or to the partitions.
        starts, sizes: of the partitions.
        peer_first, peer_last: of the rows: the first and the last of those of their time.
        peer_number: of the rows: how many times the partition had before theirs.
    """

    def __init__(self, parts: Parted, ts: Int64s) -> None:
        self.order, self.starts, self.sizes = parts.order, parts.starts, parts.sizes
        self._ts = ts[self.order]
        new = np.ones(len(ts), dtype=np.bool_)
        new[1:] = self._ts[1:] != self._ts[:-1]
        new[self.starts] = True
        number = np.cumsum(new) - 1
        firsts = np.flatnonzero(new)
        self.peer_first = firsts[number]
        self.peer_last = np.append(firsts[1:], len(ts))[number] - 1
        self.peer_number = number - np.repeat(number[self.starts], self.sizes)

    def spread(self, numbers: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """One number a partition, for each of its rows."""
        return np.repeat(numbers, self.sizes)

    def last(self, ready: frames.Mask | None) -> Int64s:
        """Of the partitions, the last row that is ready; before `starts` where none is."""
        if ready is None:
            return self.starts + self.sizes - 1
        done = np.add.reduceat(ready[self.order].astype(np.int64), self.starts)
        return self.starts + done - 1

    def summed(self, numbers: Int64s, carried: Int64s) -> Int64s:
        """Running sums of integers from what is carried on; they wrap around."""
        sums: Int64s = np.cumsum(numbers)
        sums += self.spread(carried - (sums[self.starts] - numbers[self.starts]))
        return sums

    def folded(self, fold: np.ufunc, numbers: npt.NDArray[Scalar], carried: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """``fold(fold(carried, first), second)`` and so on in every partition."""
        found = np.empty_like(numbers)
        with np.errstate(invalid="ignore", over="ignore"):
            for place in np.flatnonzero(self.sizes > _SHORT).tolist():
                start = int(self.starts[place])
                mine = numbers[start : start + int(self.sizes[place])].copy()
                mine[0] = fold(carried[place], mine[0])
                found[start : start + len(mine)] = fold.accumulate(mine)
            short = np.flatnonzero(self.sizes <= _SHORT)
            values, at, left = carried[short], self.starts[short], self.sizes[short]
            while len(at):
                values = fold(values, numbers[at])
                found[at] = values
                more = left > 1
                values, at, left = values[more], at[more] + 1, left[more] - 1
        return found


@dataclass(frozen=True, slots=True)
class _Totals:
    """A call over the rows of a tick, in the order of a `_Run`, each value up to and with its row.

    Attributes:
        count: how many rows, or values, were counted; of 'dense_rank', times.
        value: a sum of doubles, or an extreme.
        limbs: (high, low) of a sum of integers: ``high * 2^32 + low``.
    """

    count: Int64s
    value: frames.Numbers | None = None
    limbs: tuple[Int64s, Int64s] | None = None

    def parts(self) -> dict[str, frames.Numbers]:
        """What is carried on, by the names of `_Carried.parts`."""
        if self.limbs is not None:
            return {"n": self.count, "high": self.limbs[0], "low": self.limbs[1]}
        return {"n": self.count} if self.value is None else {"n": self.count, "x": self.value}


class _Carried:
    """One call.

    Attributes:
        parts: numbers by slot: 'n' counts; 'x' is a sum of doubles or an extreme, 'high' and 'low' a sum of integers.
    """

    def __init__(self, call: plan.RunningCall, schema: pa.Schema) -> None:
        self._call = call
        self.parts: dict[str, frames.Numbers] = {"n": np.empty(0, dtype=np.int64)}
        if call.column is None or call.kind == "count":
            return
        self._scale = scale_of(schema.field(call.column).type)
        dtype = number_type(schema.field(call.column).type)
        assert dtype is not None
        if call.kind in ("min", "max"):
            self.parts["x"] = np.empty(0, dtype=dtype)
        elif dtype.kind == "f":
            self.parts["x"] = np.empty(0, dtype=np.float64)
        else:
            self.parts |= {"high": np.empty(0, dtype=np.int64), "low": np.empty(0, dtype=np.int64)}

    def over(self, rows: pa.Table, run: _Run, slots: Int64s) -> _Totals:
        """The values over a tick's rows; `slots` of the partitions, -1 for new ones."""
        before = self._whole("n", slots)
        column = self._call.column
        if self._call.kind == "dense_rank":
            return _Totals(run.spread(before) + run.peer_number + 1)
        if column is None:
            return _Totals(run.summed(np.ones(len(run.order), dtype=np.int64), before))
        read = validity_of if self._call.kind == "count" else values_of
        given = read(rows.column(column))
        values = Values(given.numbers[run.order], None if given.valid is None else given.valid[run.order])
        known = np.ones(len(values), dtype=np.int64) if values.valid is None else values.valid.astype(np.int64)
        count = run.summed(known, before)
        if "high" in self.parts:
            return _Totals(count, limbs=self._whole_sums(values, run, slots))
        if "x" not in self.parts:
            return _Totals(count)
        numbers, fold = self._to_fold(values)
        return _Totals(count, value=run.folded(fold, numbers, self._of("x", slots, self._first(numbers.dtype))))

    def _to_fold(self, values: Values) -> tuple[frames.Numbers, np.ufunc]:
        if self._call.kind in ("min", "max"):
            return frames.folded_extremes(values, greatest=self._call.kind == "max")
        numbers = values.numbers.astype(np.float64, copy=False)
        return (numbers if values.valid is None else np.where(values.valid, numbers, np.float64(0.0))), np.add

    def _first(self, dtype: np.dtype[np.generic]) -> np.generic:
        """What a partition begins with."""
        extreme = self._call.kind in ("min", "max")
        return frames.worst(dtype, greatest=self._call.kind == "max") if extreme else np.float64(0.0)

    def _whole_sums(self, values: Values, run: _Run, slots: Int64s) -> tuple[Int64s, Int64s]:
        numbers = values.numbers.astype(np.int64, copy=False)
        if values.valid is not None:
            numbers = np.where(values.valid, numbers, 0)
        high, low = self._whole("high", slots), self._whole("low", slots)
        if np.abs(high).max(initial=0) < 1 << 30 and frames.fits(numbers, 2 * len(numbers)):
            sums = run.summed(numbers, (high << 32) + low)  # both terms stay below 2^62
            return frames.limbs(sums)
        upper, lower = frames.limbs(numbers)
        uppers, lowers = run.summed(upper, high), run.summed(lower, low)
        carry, rest = frames.limbs(lowers)
        return uppers + carry, rest

    def _whole(self, part: str, slots: Int64s) -> Int64s:
        return self._of(part, slots, np.int64(0)).astype(np.int64, copy=False)

    def _of(self, part: str, slots: Int64s, first: np.generic) -> frames.Numbers:
        """What is carried of partitions; new ones begin with `first`."""
        found = np.full(len(slots), first)
        known = slots >= 0
        found[known] = self.parts[part][slots[known]]
        return found

    def array(self, totals: _Totals, run: _Run, result: pa.DataType) -> pa.Array:
        """The call's column, in the order of the rows given; peers share the value of the last of them."""
        kind = self._call.kind
        count = totals.count
        if kind == "rank":
            count = count - (np.arange(len(count)) - run.peer_first)
        elif self._call.peers and kind != "dense_rank":
            count = count[run.peer_last]
        if totals.value is None and totals.limbs is None:
            return array_of(Values(scattered(count, run.order)), result)
        valid = scattered(count > 0, run.order)
        if totals.limbs is not None:
            wide = Wide.of_limbs(*totals.limbs)
            wide = wide.take(run.peer_last) if self._call.peers else wide
            if kind == "sum":
                return Wide(scattered(wide.high, run.order), scattered(wide.low, run.order), valid).array(result)
            made: frames.Numbers = frames.whole_averages(wide, np.maximum(count, 1), self._scale)
        else:
            assert totals.value is not None
            made = totals.value[run.peer_last] if self._call.peers else totals.value
            made = made.astype(np.float64) / np.maximum(count, 1) if kind == "avg" else made
        return array_of(Values(scattered(made, run.order), valid), result)

    def keep(self, totals: _Totals, slots: Int64s, places: Int64s, known: int) -> None:
        """Carry the values at places of the run, one a slot; `known` slots there are."""
        for name, numbers in totals.parts().items():
            part = self.parts[name]
            if known > len(part):
                more = np.zeros(max(known - len(part), len(part)), dtype=part.dtype)
                part = self.parts[name] = np.concatenate((part, more))
            part[slots] = numbers[places]
