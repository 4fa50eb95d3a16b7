"""WindowAggregate: GROUP BY over event-time windows, from partial aggregates kept in slices.

A slice is a piece of time that lies in the same windows, so hopping and cumulating windows share their parts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import POS, TS, no_rows
from velostream_nb.engine.delta import WM, Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, Statement
from velostream_nb.engine.grids import grid_of
from velostream_nb.engine.node import Operator
from velostream_nb.engine.partials import Partials, bytes_held
from velostream_nb.sql import plan

_COMPACT_ROWS = 4_096
"""Partial states are merged when they are so many more than twice those that the last merge left."""


class Slices(Operator):
    """The state of windows: partial results per slice, key, and the window end after which they count.

    A late row still counts in those of its windows that end after its own partition's watermark at its arrival.

    Attributes:
        closed_us: windows up to this end are over.
    """

    node: plan.WindowAggregate

    def __init__(self, node: plan.WindowAggregate, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.grid = grid_of(node.window)
        self.partials = Partials(duck, node, upstream)
        self._partial = self.partials.partial_sql(
            [(self.grid.slice_sql(TS), "__slice"), (WM, "__after")], grouped=[self.grid.slice_sql(TS), WM]
        )
        self.state = duck.table(self._partial)
        last = self.grid.last_end_sql("__slice")
        self._delete = duck.prepare(f"DELETE FROM {self.state} WHERE {last} <= $1")
        self.closed_us = WATERMARK_MIN_US
        self.rows_held = 0
        self._merged_rows = 0

    def window_sql(self, relation: str, more: str = "") -> str:
        """Windows of a relation of slices with their ends as ``__end``: a row per window and set of keys."""
        place = f"make_timestamp({self.grid.start_sql('__end')}) AS window_start, make_timestamp(__end) AS window_end"
        return (
            f"SELECT {place}{self.partials.selected_sql()}{more} FROM {relation} {self.partials.grouped_sql('__end')}"
        )

    def take_in(self, delta: Delta, insert: Statement, keep_us: int = 0) -> int:
        """Run `insert` over the tick's rows that a window still takes, and count those that none does."""
        parts = []
        dropped = None
        if delta.rows.num_rows:
            always = np.full(delta.rows.num_rows, WATERMARK_MIN_US, dtype=np.int64)
            parts.append(delta.rows.append_column(WM, pa.array(always)))
        if delta.late is not None:
            admitted, dropped = self._admitted(delta.late, keep_us)
            parts.append(admitted)
        taken = 0
        feed = self.partials.feed
        feed.rows = concat(parts)
        if feed.rows.num_rows:
            self.partials.check()
            taken = insert.run()
        if dropped is not None:  # last: a step that fails counts nothing
            self.account.drop(dropped)
        return taken

    def _admitted(self, late: pa.Table, keep_us: int) -> tuple[pa.Table, pa.Table]:
        """Late rows that one of their windows still takes, their watermark rounded down to an end; and the others."""
        wm = int64s(late, WM) - keep_us
        open_ = self.grid.last_ends(int64s(late, TS)) > wm
        index = late.schema.get_field_index(WM)
        # infinity is no time of a calendar, and no window is open then
        floors = self.grid.floors(np.where(open_, wm, 0))
        admitted = late.set_column(index, WM, pa.array(floors)).filter(pa.array(open_))
        return admitted, late.filter(pa.array(~open_))

    def forget(self, end_us: int) -> None:
        """Drop the slices of which every window ends at or before a time."""
        self.rows_held -= self._delete.run(end_us)
        self._merged_rows = min(self._merged_rows, self.rows_held)

    def compact(self) -> None:
        """Merge the states of equal slices and keys, now and then."""
        if self.partials.keeps_rows or self.rows_held <= _COMPACT_ROWS + 2 * self._merged_rows:
            return
        merged = f"SELECT __slice, __after{self.partials.keys_sql()}{self.partials.merged_sql()} FROM {self.state}"
        self.duck.run(f"CREATE OR REPLACE TEMP TABLE __merged AS {merged} GROUP BY ALL")
        self.duck.run(f"DELETE FROM {self.state}")
        self.duck.run(f"INSERT INTO {self.state} SELECT * FROM __merged")
        self.duck.run("DROP TABLE __merged")
        self.rows_held = self._merged_rows = int(self.duck.value(f"SELECT count(*) FROM {self.state}"))

    def native(self) -> dict[str, str]:
        return {"slices": self.state}

    def state_size(self) -> tuple[int, int]:
        return self.rows_held, bytes_held(self.duck, [self.state])


class WindowAggregate(Slices):
    """Emits a row per (window, key) once the watermark reaches the window's end; windows without rows give none."""

    name = "window"

    def __init__(self, node: plan.WindowAggregate, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account, upstream)
        self._insert = duck.prepare(f"INSERT INTO {self.state} {self._partial}")
        ends = self.grid.ends_sql("__slice", "$1::BIGINT", "$2::BIGINT")
        # only the ends that close now: what has closed is on the grid of ends
        closing = (
            f"(SELECT *, unnest({ends}) AS __end FROM {self.state} WHERE {self.grid.first_end_sql('__slice')} <= $2)"
        )
        order = f"ORDER BY __end{self.partials.keys_sql()}{f', {plan.GROUPING}' if node.sets else ''}"
        close = self.window_sql(f"(SELECT * FROM {closing} WHERE __end > __after) AS __in", ", __end") + f" {order}"
        self._close = duck.prepare(close)
        found = duck.schema_of(close.replace("$1", "0").replace("$2", "0"))
        hidden = [pa.field(TS, pa.int64()), pa.field(POS, pa.int64())]
        self.schema = pa.schema([*(found.field(c) for c in node.columns), *hidden])
        self._emitted = 0

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.rows.num_rows or delta.late is not None:
            self.rows_held += self.take_in(delta, self._insert)
        rows = no_rows(self.schema)
        edge = self.grid.floor_us(delta.watermark_us)
        if edge > self.closed_us:
            rows = self._finish(edge)
        self.compact()
        # the next window to close ends later than all that have: operators above need not wait for it
        return Delta(rows, max(delta.watermark_us, self.grid.next_us(edge)))

    def _finish(self, edge: int) -> pa.Table:
        try:
            out = self._close.rows(self.closed_us, edge)
        except EvaluationError as error:  # no row of this tick is at fault, so none can be set aside
            raise JobFailedError(f"a window could not be computed: {error.message}") from error
        self.forget(edge)
        self.closed_us = edge
        pos = pa.array(np.arange(self._emitted, self._emitted + out.num_rows))
        self._emitted += out.num_rows
        return out.select(list(self.node.columns)).append_column(TS, out.column("__end")).append_column(POS, pos)

    def describe(self) -> str:
        held = "rows until their windows close" if self.partials.keeps_rows else "one aggregate state per slice and key"
        return f"{self.grid.describe()} by {self.partials.describe()}; keeps {held}"

    def tables(self) -> dict[str, pa.Table]:
        row = {"closed_us": [self.closed_us], "emitted": [self._emitted], "rows": [self.rows_held]}
        return {"window": pa.table(row)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["window"].to_pylist()[0]
        self.closed_us, self._emitted, self.rows_held = row["closed_us"], row["emitted"], row["rows"]
