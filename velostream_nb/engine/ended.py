"""Ended: window functions over partitions that come to an end."""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.records import TS
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, quoted
from velostream_nb.engine.node import Operator, hidden_of, items_sql, shown
from velostream_nb.engine.ordered import in_order
from velostream_nb.sql import plan


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
        self._held = upstream.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.rows.num_rows:  # what cannot be computed must show when it comes, while it can be set aside
            self._feed.rows = delta.rows
            self._statement.rows()
        rows = concat([self._held, delta.rows])
        over = int64s(rows, self.node.ends) <= delta.watermark_us
        out = self._answer(rows.filter(pa.array(over))) if over.any() else self.schema.empty_table()
        if over.any() or delta.rows.num_rows:
            self._held = rows.filter(pa.array(~over)).combine_chunks()
        self.account.drop(delta.late)
        watermark_us = delta.watermark_us
        if self._held.num_rows:
            watermark_us = min(watermark_us, int(int64s(self._held, TS).min()))
        return Delta(out, watermark_us, many=True)

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
