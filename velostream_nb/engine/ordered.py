"""Order, Over, Running: window functions over event-time order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import TS
from velostream_nb.engine.delta import Account, Delta, codes_of, concat, int64s, is_sorted, last_per_code
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.node import Operator, hidden_of, items_shown, items_sql, shown
from velostream_nb.sql import plan

NEW = "__new"
"""Hidden column of Over's input: True for rows to emit, False for rows kept from earlier."""


class Order(Operator):
    """Holds rows until the watermark has passed them; emits them by (event time, position). Drops late rows."""

    name = "order"
    node: plan.Order

    def __init__(self, node: plan.Order, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.schema = upstream.schema
        self._held = self.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.late is not None:
            self.account.drop(delta.late)
        rows = concat([self._held, delta.rows])
        if rows.num_rows:
            rows = self._sorted(rows)
            ts = int64s(rows, TS)
            wait = (self.node.strict or delta.many) and delta.watermark_us < WATERMARK_MAX_US
            ready = int(np.searchsorted(ts, delta.watermark_us, side="left" if wait else "right"))
            # combine: a slice of a batch would keep the whole batch in memory
            self._held = rows.slice(ready).combine_chunks() if ready < rows.num_rows else self.schema.empty_table()
            rows = rows.slice(0, ready)
        return Delta(rows, delta.watermark_us)

    def _sorted(self, rows: pa.Table) -> pa.Table:
        keys = [int64s(rows, name) for name in hidden_of(self.node)]
        if is_sorted(*keys):
            return rows
        return rows.take(pa.array(np.lexsort(keys[::-1])))

    def describe(self) -> str:
        until = "is past them" if self.node.strict else "reaches them"
        return f"order by event time; hold rows until the watermark {until}"

    def tables(self) -> dict[str, pa.Table]:
        return {"held": self._held}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._held = tables["held"]


class Over(Operator):
    """Bounded frames: the query over (rows kept ∪ new rows), new rows only."""

    name = "over"
    node: plan.Over

    def __init__(self, node: plan.Over, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._in_schema = upstream.schema
        self._feed = duck.feed(upstream.schema.append(pa.field(NEW, pa.bool_())))
        condition = f"{NEW} AND ({node.qualify})" if node.qualify else NEW
        sql = (
            f"SELECT {items_sql(node.items)}, {quoted(hidden_of(node))} FROM {self._feed.name} AS __in "
            f"{node.windows} QUALIFY {condition}"
        )
        self.schema = duck.schema_of(sql)
        self._statement = duck.prepare(sql)
        self._kept = upstream.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        new = delta.rows
        if not new.num_rows:
            self._kept = self._within_span(self._kept, delta.watermark_us)
            return Delta(self.schema.empty_table(), delta.watermark_us)
        rows = concat([self._kept, new])
        flags = np.ones(rows.num_rows, dtype=np.bool_)
        flags[: self._kept.num_rows] = False
        self._feed.rows = rows.append_column(NEW, pa.array(flags))
        out = self._statement.rows()
        self._kept = self._keep(rows, delta.watermark_us)
        return Delta(_in_order(out, self.node), delta.watermark_us)

    def _keep(self, rows: pa.Table, watermark_us: int) -> pa.Table:
        keep = np.zeros(rows.num_rows, dtype=np.bool_)
        for partition, count in self.node.keeps:
            keep |= last_per_code(codes_of(rows, partition), count)
        if self.node.keep_us:
            keep |= int64s(rows, TS) >= self._floor(watermark_us)
        return rows.filter(pa.array(keep)).combine_chunks()

    def _within_span(self, rows: pa.Table, watermark_us: int) -> pa.Table:
        if not self.node.keep_us or not rows.num_rows or any(count for _, count in self.node.keeps):
            return rows
        old = int64s(rows, TS) < self._floor(watermark_us)
        return rows.filter(pa.array(~old)) if old.any() else rows

    def _floor(self, watermark_us: int) -> int:
        return watermark_us - self.node.keep_us if watermark_us > WATERMARK_MIN_US else WATERMARK_MIN_US

    def describe(self) -> str:
        keeps = [
            f"last {count} rows" + (f" per ({', '.join(partition)})" if partition else "")
            for partition, count in self.node.keeps
            if count
        ]
        if self.node.keep_us:
            keeps.append(f"{self.node.keep_us / 1e6:g} s of rows")
        qualify = f" qualify {shown(self.node.qualify)}" if self.node.qualify else ""
        return f"over {items_shown(self.node.items)}{qualify}; keeps {' and '.join(keeps) or 'nothing'}"

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]


def _in_order(rows: pa.Table, node: plan.Node) -> pa.Table:
    """DuckDB gives window results partition by partition: back to event-time order."""
    keys = [int64s(rows, name) for name in hidden_of(node)]
    return rows if is_sorted(*keys) else rows.take(pa.array(np.lexsort(keys[::-1])))


class Running(Operator):
    """Unbounded frames: one aggregate state per partition, carried as the first row of the next batch."""

    name = "running"
    node: plan.Running

    def __init__(self, node: plan.Running, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._feed = duck.feed(upstream.schema.append(pa.field("__row", pa.int64())))
        self._partitions = list(dict.fromkeys(call.partition for call in node.calls))
        self._states = [self._state_table(p) for p in self._partitions]
        sql = self._select()
        self.schema = duck.schema_of(sql)
        self._statement = duck.prepare(sql)

    def _calls(self, partition: tuple[str, ...]) -> list[plan.RunningCall]:
        return [c for c in self.node.calls if c.partition == partition]

    def _state_table(self, partition: tuple[str, ...]) -> str:
        states = ", ".join(f"{_exported(c.call)} AS {c.name}" for c in self._calls(partition))
        keys = f"{quoted(partition)}, " if partition else ""
        group = f" GROUP BY {quoted(partition)}" if partition else ""
        return self.duck.table(f"SELECT {keys}{states} FROM {self._feed.name} AS __in{group}")

    def _select(self) -> str:
        """Every row with its running values: per-row states behind the carried ones, combined over the order."""
        columns = self.node.inputs[0].columns
        hidden = hidden_of(self.node)
        joins, values = [], []
        for number, (partition, table) in enumerate(zip(self._partitions, self._states, strict=True)):
            joins.append(f"JOIN ({self._values(partition, table)}) AS __v{number} ON __v{number}.__row = __in.__row")
            values += [f"__v{number}.{c.name}" for c in self._calls(partition)]
        ours = ", ".join(f"__in.{quote(c)}" for c in columns)
        behind = ", ".join(f"__in.{quote(c)}" for c in hidden)
        return f"SELECT {ours}, {', '.join(values)}, {behind} FROM {self._feed.name} AS __in {' '.join(joins)}"

    def _values(self, partition: tuple[str, ...], table: str) -> str:
        calls = self._calls(partition)
        keys = f"{quoted(partition)}, " if partition else ""
        order = [TS, *self.node.pos]
        states = ", ".join(f"{_exported(c.call)} AS {c.name}" for c in calls)
        carried = ", ".join(c.name for c in calls)
        nulls = ", ".join(f"NULL::BIGINT AS {quote(o)}" for o in order)
        rows = (
            f"SELECT {keys}{states}, __row, {quoted(order)} FROM {self._feed.name} AS __in "
            f"GROUP BY {keys}__row, {quoted(order)} "
            f"UNION ALL SELECT {keys}{carried}, NULL AS __row, {nulls} FROM {table}"
        )
        over = f"PARTITION BY {quoted(partition)} " if partition else ""
        by_row = f"({over}ORDER BY {', '.join(f'{quote(o)} NULLS FIRST' for o in order)} ROWS UNBOUNDED PRECEDING)"
        by_time = f"({over}ORDER BY {TS} NULLS FIRST RANGE UNBOUNDED PRECEDING)"
        values = ", ".join(
            f"finalize(combine_aggr({c.name}) OVER {by_time if c.peers else by_row}) AS {c.name}" for c in calls
        )
        return f"SELECT * FROM (SELECT __row, {values} FROM ({rows})) WHERE __row IS NOT NULL"

    def _merged(self, partition: tuple[str, ...], table: str) -> str:
        calls = self._calls(partition)
        keys = f"{quoted(partition)}, " if partition else ""
        group = f" GROUP BY {quoted(partition)}" if partition else ""
        names = ", ".join(c.name for c in calls)
        states = ", ".join(f"{_exported(c.call)} AS {c.name}" for c in calls)
        merged = ", ".join(f"combine_aggr({c.name}) AS {c.name}" for c in calls)
        new = f"SELECT {keys}{states} FROM {self._feed.name} AS __in{group}"
        return f"SELECT {keys}{merged} FROM (SELECT {keys}{names} FROM {table} UNION ALL {new}){group}"

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if not delta.rows.num_rows:
            return Delta(self.schema.empty_table(), delta.watermark_us)
        self._feed.rows = delta.rows.append_column("__row", pa.array(np.arange(delta.rows.num_rows)))
        out = self._statement.rows()
        states = list(zip(self._partitions, self._states, strict=True))
        for partition, table in states:
            self.duck.run(f"CREATE OR REPLACE TEMP TABLE {table}_next AS {self._merged(partition, table)}")
        for _, table in states:  # nothing can fail from here on
            self.duck.run(f"DELETE FROM {table}")
            self.duck.run(f"INSERT INTO {table} SELECT * FROM {table}_next")
        return Delta(_in_order(out, self.node), delta.watermark_us)

    def describe(self) -> str:
        calls = ", ".join(f"{shown(c.call)} per ({', '.join(c.partition)})" for c in self.node.calls)
        return f"running {calls}; keeps one aggregate state per key"

    def native(self) -> dict[str, str]:
        return {f"states{i}": t for i, t in enumerate(self._states)}

    def state_size(self) -> tuple[int, int]:
        rows = sum(int(self.duck.value(f"SELECT count(*) FROM {t}")) for t in self._states)
        return rows, rows * 64 * max(1, len(self.node.calls))


def _exported(call: str) -> str:
    return f"{call} EXPORT_STATE"
