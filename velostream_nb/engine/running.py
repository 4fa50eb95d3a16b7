"""Running: window functions over everything up to the current row, by DuckDB's aggregate states."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.core.vectors import integers_in, vector
from velostream_nb.engine.delta import Account, Delta, concat
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.engine.ordered import Peers, in_order
from velostream_nb.engine.running_text import describe_running
from velostream_nb.sql import plan

ROW = "__row"
_PART = "__part"
"""Column of the states: a hash of the partition, by which those of the tick are found."""


class Running(Operator):
    """One aggregate state per partition, carried as the first row of the next batch."""

    name = "running"
    node: plan.Running

    def __init__(self, node: plan.Running, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._peers = Peers(upstream.schema, node)
        self._feed = duck.feed(upstream.schema.append(pa.field(ROW, pa.int64())))
        self._keys = f"{quoted(node.partition)}, " if node.partition else ""
        self._states = ", ".join(f"{_exported(c)} AS {c.name}" for c in node.calls)
        self._names = ", ".join(c.name for c in node.calls)
        self._part = f"hash({quoted(node.partition)})" if node.partition else "0::UBIGINT"
        batch = (
            f"SELECT {self._keys}{self._states}, {self._part} AS {_PART} FROM {self._feed.name} AS __in "
            f"GROUP BY {self._keys}{_PART}"
        )
        self._table = duck.table(batch)
        self._mine = f"{_PART} IN (SELECT {self._part} FROM {self._feed.name})"
        merged = ", ".join(f"combine_aggr({c.name}) AS {c.name}" for c in node.calls)
        self._next = duck.table(batch)
        steps = (
            f"INSERT INTO {self._next} SELECT {self._keys}{merged}, {_PART} FROM "
            f"(SELECT * FROM {self._table} WHERE {self._mine} UNION ALL {batch}) GROUP BY {self._keys}{_PART}",
            f"DELETE FROM {self._table} WHERE {self._mine}",
            f"INSERT INTO {self._table} SELECT * FROM {self._next}",
            f"DELETE FROM {self._next}",
        )
        self._merge = [duck.prepare(step) for step in steps]
        sql = self._select(upstream)
        every = duck.schema_of(sql)
        self.schema = every.remove(len(every) - 1)
        self._statement = duck.prepare(sql)

    def _select(self, upstream: Operator) -> str:
        """Every row with its running values: per-row states behind the carried ones, combined over the order."""
        columns = "".join(f"__in.{quote(c)}, " for c in self.node.inputs[0].columns)
        values = ", ".join(f"__v.{c.name}" for c in self.node.calls)
        hidden = ", ".join(f"__in.{quote(c)}" for c in hidden_of(self.node))
        return (
            f"SELECT {columns}{values}, {hidden}, __in.{ROW} FROM {self._feed.name} AS __in "
            f"JOIN ({self._values(upstream)}) AS __v ON __v.{ROW} = __in.{ROW}"
        )

    def _values(self, upstream: Operator) -> str:
        # the order may read any column; those that it cannot are left out
        orders = " ".join(o for call in self.node.calls for o in call.order)
        hidden = hidden_of(self.node)
        plain = [n for n in upstream.schema.names if n not in self.node.partition]
        plain = [n for n in plain if n in hidden or quote(n) in orders]
        nulls = "".join(f"NULL AS {quote(n)}, " for n in plain)
        rows = (
            f"SELECT 1 AS __new, {self._keys}{quoted(plain)}, {ROW}, {self._states} "
            f"FROM {self._feed.name} AS __in GROUP BY ALL "
            f"UNION ALL SELECT 0 AS __new, {self._keys}{nulls}NULL AS {ROW}, {self._names} "
            f"FROM {self._table} WHERE {self._mine}"
        )
        over = f"PARTITION BY {quoted(self.node.partition)} " if self.node.partition else ""
        # the calls have forms in which no order matters to a state: peers may be combined in any
        values = ", ".join(
            f"finalize(combine_aggr({c.name}) OVER ({over}ORDER BY __new, {', '.join(c.order)} "
            f"{'RANGE' if c.peers else 'ROWS'} UNBOUNDED PRECEDING)) AS {c.name}"
            for c in self.node.calls
        )
        return f"SELECT * FROM (SELECT __new, {ROW}, {values} FROM ({rows})) WHERE __new = 1"

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self._peers.held, delta.rows])
        if not rows.num_rows:
            self._forget(delta.watermark_us)
            return Delta(no_rows(self.schema), delta.watermark_us)
        complete = self._peers.complete(rows, delta.watermark_us)
        rows = rows.append_column(ROW, vector(np.arange(rows.num_rows)))
        self._feed.rows = rows
        out = self._statement.rows()
        out = out.filter(vector(complete[integers_in(out.column(ROW))])).drop_columns([ROW])
        self._feed.rows = rows.filter(vector(complete))
        for step in self._merge:  # what can fail has been computed already
            step.run()
        self._peers.keep(rows.drop_columns([ROW]), complete)
        self._forget(delta.watermark_us)
        return Delta(in_order(out, self.node), delta.watermark_us)

    def _forget(self, watermark_us: int) -> None:
        """The states of partitions that have ended."""
        if self.node.ends is not None and watermark_us > self.seen_us[0]:
            self.duck.run(f"DELETE FROM {self._table} WHERE {quote(self.node.ends)} <= {watermark_us}")

    def describe(self) -> str:
        return describe_running(self.node, "one aggregate state")

    def tables(self) -> dict[str, pa.Table]:
        return {"held": self._peers.held}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._peers.held = tables["held"]

    def native(self) -> dict[str, str]:
        return {"states": self._table}

    def state_size(self) -> tuple[int, int]:
        rows = int(self.duck.value(f"SELECT count(*) FROM {self._table}"))
        return rows + self._peers.held.num_rows, rows * 64 * len(self.node.calls) + self._peers.held.nbytes


def _exported(call: plan.RunningCall) -> str:
    return f"{call.call} EXPORT_STATE"
