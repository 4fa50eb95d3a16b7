"""Order: rows in event-time order, and what the operators that need such an order share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, Int64s, concat, int64s, is_sorted
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.sql import plan


def in_order(rows: pa.Table, node: plan.Node) -> pa.Table:
    """The rows by (event time, position); DuckDB gives window results partition by partition."""
    keys = [int64s(rows, name) for name in hidden_of(node)]
    return rows if _all_rise(keys) or is_sorted(*keys) else rows.take(vector(np.lexsort(keys[::-1])))


def _all_rise(keys: list[Int64s]) -> bool:
    """Does no key ever fall? So it is with the records of one partition: positions rise, and mostly times do."""
    return not any(np.count_nonzero(key[1:] < key[:-1]) for key in keys)


def units(ts: Int64s, unit_us: int) -> Int64s:
    """Event times as numbers of their unit, rounded as DuckDB's epoch_ms does."""
    return ts if unit_us == 1 else (ts + unit_us // 2) // unit_us


def unit_of(at_us: int, unit_us: int) -> int:
    """`units` of one time."""
    return (at_us + unit_us // 2) // unit_us


class Peers:
    """Rows that wait until all rows of their unit of event time are there.

    A strict `Order` upstream has seen to it for whole ticks. It takes care here too, because a tick that cannot be
    computed is fed in parts, and its watermark comes last.
    """

    def __init__(self, schema: pa.Schema, node: plan.Running) -> None:
        self._node = node
        self.held = no_rows(schema)

    def complete(self, rows: pa.Table, watermark_us: int) -> npt.NDArray[np.bool_]:
        """Which rows have all their peers."""
        if not self._node.strict or watermark_us >= WATERMARK_MAX_US:
            return np.ones(rows.num_rows, dtype=np.bool_)
        unit_us = self._node.unit_us
        done: npt.NDArray[np.bool_] = units(int64s(rows, TS), unit_us) < unit_of(watermark_us, unit_us)
        return done

    def keep(self, rows: pa.Table, complete: npt.NDArray[np.bool_]) -> None:
        """Hold back the others."""
        done = bool(complete.all())
        self.held = rows.slice(0, 0) if done else rows.filter(vector(~complete)).combine_chunks()


class Order(Operator):
    """Holds rows until the watermark has passed them; emits them by (event time, position). Drops late rows."""

    name = "order"
    node: plan.Order

    def __init__(self, node: plan.Order, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.schema = upstream.schema
        self._held = self._empty = no_rows(self.schema)

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self._held, delta.rows]) if self._held.num_rows else delta.rows
        if rows.num_rows:
            rows = in_order(rows, self.node)
            ready = self._ready(int64s(rows, TS), delta)
            self._held = self._empty
            if ready < rows.num_rows:
                # combine: a slice of a batch would keep the whole batch in memory
                self._held, rows = rows.slice(ready).combine_chunks(), rows.slice(0, ready)
        self.account.drop(delta.late)
        return Delta(rows, delta.watermark_us)

    def _ready(self, ts: Int64s, delta: Delta) -> int:
        """How many rows, from the oldest on, need not wait."""
        watermark_us = delta.watermark_us
        wait = (self.node.strict or delta.many) and watermark_us < WATERMARK_MAX_US
        if wait and self.node.strict:
            unit_us = self.node.unit_us
            watermark_us = unit_of(watermark_us, unit_us) * unit_us - unit_us // 2
        if ts[-1] < watermark_us:
            return len(ts)
        return int(ts.searchsorted(watermark_us, side="left" if wait else "right"))

    def describe(self) -> str:
        until = "is past them" if self.node.strict else "reaches them"
        unit = f" and their {self.node.unit_us / 1000:g} ms" if self.node.unit_us > 1 else ""
        return f"order by event time; hold rows until the watermark {until}{unit}"

    def tables(self) -> dict[str, pa.Table]:
        return {"held": self._held}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._held = tables["held"]
