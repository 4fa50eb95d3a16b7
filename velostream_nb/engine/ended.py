"""Ended: window functions over partitions that come to an end."""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, quoted
from velostream_nb.engine.node import Operator, hidden_of, items_sql, shown
from velostream_nb.engine.ordered import in_order
from velostream_nb.sql import plan

_CHUNKS = 256
"""Held rows come in a chunk a tick; so many are made one."""


class Ended(Operator):
    """Holds the rows of open partitions; answers those of ended ones, and forgets them. Drops late rows."""

    name = "over"
    node: plan.Ended

    def __init__(self, node: plan.Ended, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._feed = duck.feed(upstream.schema)
        columns = quoted(node.inputs[0].columns)
        sql = f"SELECT {columns}, {items_sql(node.windows)}, {quoted(hidden_of(node))} FROM {self._feed.name} AS __in"
        self.schema = duck.schema_of(sql)
        self._statement = duck.prepare(sql)
        self._held = no_rows(upstream.schema)
        self._first_end = self._oldest = WATERMARK_MAX_US

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.rows.num_rows:  # what cannot be computed must show when it comes, while it can be set aside
            self._feed.rows = delta.rows
            self._statement.rows()
        out = no_rows(self.schema)
        held = self._hold(delta.rows)
        if self._first_end <= delta.watermark_us:
            over = int64s(held, self.node.ends) <= delta.watermark_us
            out = self._answer(held.filter(vector(over)))
            held = held.filter(vector(~over)).combine_chunks()
            self._look_at(held)
        self._held = held
        self.account.drop(delta.late)
        return Delta(out, min(delta.watermark_us, self._oldest), many=True)

    def _hold(self, rows: pa.Table) -> pa.Table:
        """The held rows and these; what is held already is seldom touched, however much it is."""
        if not rows.num_rows:
            return self._held
        self._first_end = min(self._first_end, int(int64s(rows, self.node.ends).min()))
        self._oldest = min(self._oldest, int(int64s(rows, TS).min()))
        held = concat([self._held, rows])
        return held.combine_chunks() if held.column(0).num_chunks > _CHUNKS else held

    def _look_at(self, held: pa.Table) -> None:
        empty = not held.num_rows
        self._first_end = WATERMARK_MAX_US if empty else int(int64s(held, self.node.ends).min())
        self._oldest = WATERMARK_MAX_US if empty else int(int64s(held, TS).min())

    def _answer(self, rows: pa.Table) -> pa.Table:
        self._feed.rows = rows
        try:
            return in_order(self._statement.rows(), self.node)
        except EvaluationError as error:  # no row of this tick is at fault, so none can be set aside
            raise JobFailedError(f"a window function could not be computed: {error.message}") from error

    def describe(self) -> str:
        calls = ", ".join(shown(call) for call, _ in self.node.windows)
        return f"over {calls}; keeps rows and waits until the watermark has passed all of their {shown(self.node.by)}"

    def tables(self) -> dict[str, pa.Table]:
        return {"held": self._held}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._held = tables["held"]
        self._look_at(self._held)
