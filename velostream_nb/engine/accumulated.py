"""Accumulated: running sums, counts, extremes and ranks per partition, added up row after row.

A value is carried from tick to tick and goes on with the next row of its partition, in event-time order: how the rows
were cut into batches makes no difference, not even in the last bit of a sum of doubles.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS
from velostream_nb.core.vectors import numbers_in, vector
from velostream_nb.engine.added import Added
from velostream_nb.engine.arrays import folds
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.key_numbering import KeyNumbering, can_number
from velostream_nb.engine.node import Operator
from velostream_nb.engine.result_types import result_types
from velostream_nb.engine.run import Run
from velostream_nb.engine.running_text import describe_running
from velostream_nb.engine.totals import Carrying
from velostream_nb.sql import plan


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
    calls = ", ".join(f"{c.call} OVER (ORDER BY {', '.join(c.order)}) AS {quote(c.name)}" for c in node.calls)
    return result_types(duck, schema, lambda feed: f"SELECT {calls} FROM {feed} AS __in")


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
        self._carried = {call.name: Carrying(call, upstream.schema) for call in node.calls}
        self._slots = KeyNumbering(self._partition)

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self.held, delta.rows]) if self.held.num_rows else delta.rows
        if not rows.num_rows:
            return Delta(self.nothing, delta.watermark_us)
        ts = int64s(rows, TS)
        strict = self.node.strict and delta.watermark_us < WATERMARK_MAX_US
        ready = ts < delta.watermark_us if strict else None
        run = Run(self._slots.parts(self._keys(rows), rows.num_rows), ts)
        made = {}
        columns = []
        for name, carried in self._carried.items():
            carried.know(len(self._slots))
            made[name] = totals = carried.over(rows, run)
            columns.append(carried.array(totals, run, self._results[name]))
        out = self.answer(rows, columns, ready)
        slots, last = run.slots, run.last(ready)
        if ready is not None:
            some = last >= run.starts
            slots, last = slots[some], last[some]
        for name, carried in self._carried.items():
            carried.keep(made[name], slots, last)
        return Delta(out, delta.watermark_us)

    def _keys(self, rows: pa.Table) -> list[pa.ChunkedArray]:
        return [rows.column(field.name) for field in self._partition]

    def describe(self) -> str:
        return describe_running(self.node, "their last values")

    def tables(self) -> dict[str, pa.Table]:
        count = len(self._slots)
        keys = self._slots.arrays(np.arange(count))
        every = [(f"{name}_{part}", n) for name, c in self._carried.items() for part, n in c.parts.items()]
        # copied: what is carried changes in place
        parts = [(name, vector(numbers[:count].copy())) for name, numbers in every]
        names = [*self.node.partition, *(name for name, _ in parts)]
        return {"held": self.held, "carried": pa.table([*keys, *(array for _, array in parts)], names=names)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self.held, carried = tables["held"], tables["carried"]
        self._slots = KeyNumbering(self._partition)
        self._slots.number(self._keys(carried), carried.num_rows)
        for name, call in self._carried.items():
            call.parts = {part: numbers_in(carried.column(f"{name}_{part}")).copy() for part in call.parts}

    def state_size(self) -> tuple[int, int]:
        size = sum(part.nbytes for carried in self._carried.values() for part in carried.parts.values())
        return len(self._slots) + self.held.num_rows, size + self._slots.nbytes + self.held.nbytes
