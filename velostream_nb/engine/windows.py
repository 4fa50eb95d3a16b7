"""WindowAggregate: GROUP BY over event-time windows, from partial aggregates kept in slices."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import POS, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.engine.grids import grid_of
from velostream_nb.engine.node import Operator
from velostream_nb.engine.partials import describe_groups
from velostream_nb.engine.projection import Projection
from velostream_nb.engine.slices import ClosingSlices, SliceStore, admitted
from velostream_nb.engine.tallied_slices import tallied_slices
from velostream_nb.sql import plan


class WindowAggregate(Operator):
    """Emits a row per (window, key) once the watermark reaches the window's end; windows without rows give none.

    Attributes:
        closed_us: windows up to this end are over.
    """

    name = "window"
    node: plan.WindowAggregate
    fuses = True

    def __init__(
        self,
        node: plan.WindowAggregate,
        duck: Duck,
        account: Account,
        upstream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self.grid = grid_of(node.window)
        self.slices: SliceStore = tallied_slices(node, self.grid, duck, upstream) or ClosingSlices(node, duck, upstream)
        self._own = self.slices.schema.append(pa.field(POS, pa.int64()))
        self._projection = Projection(self, self._own) if then else None
        self.schema = self._projection.schema if self._projection else self._own
        self.closed_us = WATERMARK_MIN_US
        self._emitted = 0

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows, after, dropped = admitted(self.grid, delta)
        if rows.num_rows:
            self.slices.take(rows, after)
        self.account.drop(dropped)  # after what may fail: a step that fails counts nothing
        out = no_rows(self.schema)
        edge = self.grid.floor_us(delta.watermark_us)
        if edge > self.closed_us:
            out = self._finish(edge)
        # the next window to close ends later than all that have: operators above need not wait for it
        return Delta(out, max(delta.watermark_us, self.grid.next_us(edge)))

    def _finish(self, edge: int) -> pa.Table:
        try:
            out = self.slices.close(self.closed_us, edge)
        except EvaluationError as error:  # no row of this tick is at fault, so none can be set aside
            raise JobFailedError(f"a window could not be computed: {error.message}") from error
        self.slices.forget(edge)
        self.closed_us = edge
        if not out.num_rows:
            return no_rows(self.schema)
        pos = vector(np.arange(self._emitted, self._emitted + out.num_rows))
        self._emitted += out.num_rows
        rows = pa.Table.from_arrays([*out.columns, pos], schema=self._own)
        return rows if self._projection is None else self._projection.rows(rows)

    def describe(self) -> str:
        return f"{self.grid.describe()} by {describe_groups(self.node)}; keeps {self.slices.describe()}"

    def tables(self) -> dict[str, pa.Table]:
        return {"window": pa.table({"closed_us": [self.closed_us], "emitted": [self._emitted]}), **self.slices.tables()}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["window"].to_pylist()[0]
        self.closed_us, self._emitted = row["closed_us"], row["emitted"]
        self.slices.load_tables(tables)

    def native(self) -> dict[str, str]:
        return self.slices.native()

    def state_size(self) -> tuple[int, int]:
        return self.slices.state_size()
