"""Source and Project: operators without rows of their own."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import OP, POS, TS, Decoded, Span, no_rows
from velostream_nb.engine.delta import WM, Account, Delta, concat, int64s, split_late
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator, project_shown, project_sql
from velostream_nb.engine.shortcut import Shortcut
from velostream_nb.sql import plan


class Source(Operator):
    """Event time of a topic: one watermark a partition, the source's is the least of the active ones.

    Attributes:
        newest_us: newest event time per partition heard of.
        expected: partitions the topic has; one that was not heard of yet holds the watermark back until it is idle.
    """

    name = "source"
    node: plan.Source

    def __init__(self, node: plan.Source, duck: Duck, account: Account) -> None:
        super().__init__(node, duck, account)
        columns = node.stream.schema.columns
        fields = [columns.field(c) for c in node.columns]
        op = [pa.field(OP, pa.string())] if node.op else []
        self.schema = pa.schema([*fields, *op, pa.field(TS, pa.int64()), pa.field(POS, pa.int64())])
        self._names = self.schema.names
        self.newest_us: dict[int, int] = {}
        self.expected: set[int] = set()
        self.watermark_us = WATERMARK_MIN_US
        self.ended = False
        self._idle: set[int] = set()

    def take(self, batches: Sequence[Decoded], *, final: bool, idle: Collection[int]) -> Delta:
        """The tick's rows of this topic; rows behind their own partition's watermark are set apart as late."""
        on_time: list[pa.Table] = []
        late: list[pa.Table] = []
        for decoded in batches:
            span = decoded.times
            if span is not None:
                rows, behind = self._judge(self._table(decoded.batch), span)
                on_time.append(rows)
                late += [behind] if behind is not None else []
        self._idle = set(idle)
        self.ended = self.ended or final
        self.watermark_us = max(self.watermark_us, self._watermark())
        rows = concat(on_time) if on_time else no_rows(self.schema)
        many = len(self.newest_us.keys() | self.expected) > 1
        return Delta(rows, self.watermark_us, concat(late) if late else None, many)

    def _table(self, batch: pa.RecordBatch) -> pa.Table:
        """The columns that are read, under our own schema: a snapshot does not remember which are never NULL."""
        if batch.schema.equals(self.schema):
            return pa.Table.from_batches([batch], schema=self.schema)
        names = batch.schema.names
        if names == self._names:
            return pa.Table.from_arrays(batch.columns, schema=self.schema)
        columns = [batch.column(n) if n in names else pa.repeat("upsert", batch.num_rows) for n in self._names]
        return pa.Table.from_arrays(columns, schema=self.schema)

    @property
    def silent(self) -> bool:
        """Are all the partitions idle?"""
        known = self.newest_us.keys() | self.expected
        return bool(known) and known <= self._idle and not self.ended

    def follow(self, watermark_us: int) -> int:
        """Move on to the watermark of the topics that are not silent; returns the own one."""
        self.watermark_us = max(self.watermark_us, watermark_us)
        return self.watermark_us

    def _judge(self, table: pa.Table, span: Span) -> tuple[pa.Table, pa.Table | None]:
        """Split off late rows, by the running watermark of the batch's one partition: no batching changes it."""
        before = self.newest_us.get(span.partition, WATERMARK_MIN_US)
        behind = before if before == WATERMARK_MIN_US else before - self.node.delay_us
        self.newest_us[span.partition] = max(before, span.newest_us)
        if span.rising and span.first_us >= max(behind, self.watermark_us):  # nor can what comes after it be late
            return table, None
        ts = int64s(table, TS)
        newest = np.maximum.accumulate(ts)
        running = np.empty_like(ts)
        running[0], running[1:] = before, np.maximum(newest[:-1], before)
        own = np.where(running == WATERMARK_MIN_US, WATERMARK_MIN_US, running - self.node.delay_us)
        # what was announced binds: a partition that comes back from idling, or that nobody expected, may be behind it
        return split_late(table, np.maximum(own, self.watermark_us))

    def _watermark(self) -> int:
        if self.ended:
            return WATERMARK_MAX_US
        if self.expected - self._idle - self.newest_us.keys():
            return WATERMARK_MIN_US
        active = [us for p, us in self.newest_us.items() if p not in self._idle]
        return min(active) - self.node.delay_us if active else WATERMARK_MIN_US

    def step(self, inputs: list[Delta]) -> Delta:
        raise AssertionError(f"a source is fed by take(), not by {len(inputs)} inputs")

    def describe(self) -> str:
        time = self.node.stream.schema.time_column or "the broker's timestamp"
        delay = f", delay {self.node.delay_us / 1e6:g} s" if self.node.delay_us else ""
        return f"read {self.node.stream.topic} ({', '.join(self.node.columns)}); event time {time}{delay}"

    def tables(self) -> dict[str, pa.Table]:
        parts = list(self.newest_us.items())
        return {
            "partitions": pa.table(
                {"partition": [p for p, _ in parts], "newest_us": [us for _, us in parts]},
                schema=pa.schema([("partition", pa.int64()), ("newest_us", pa.int64())]),
            ),
            "source": pa.table({"watermark_us": [self.watermark_us], "ended": [self.ended]}),
        }

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        parts = tables["partitions"].to_pydict()
        self.newest_us = dict(zip(parts["partition"], parts["newest_us"], strict=True))
        row = tables["source"].to_pylist()[0]
        self.watermark_us, self.ended = row["watermark_us"], row["ended"]

    def state_size(self) -> tuple[int, int]:
        return 0, 0


class Project(Operator):
    """SELECT … WHERE … over the batch, nothing kept."""

    name = "project"
    node: plan.Project
    fuses = True

    def __init__(
        self,
        node: plan.Project,
        duck: Duck,
        account: Account,
        upstream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self._feed = duck.feed(upstream.schema)
        self._late_feed = duck.feed(upstream.schema.append(pa.field(WM, pa.int64())))
        self._lag_us = node.inputs[0].time[node.retime] if node.retime else 0
        sql = self.projected(project_sql(node, self._feed.name))
        self.schema = duck.schema_of(sql)
        self._statement = duck.prepare(sql)
        # rows that become others, or get another time, are DuckDB's alone
        own = (node, *then) if not (node.joined or node.retime) else ()
        self._shortcut = Shortcut(own, upstream.schema, self.schema, self._evaluated) if own else None

    def _late_sql(self) -> str:
        """Late rows stay as far behind the watermark as they are."""
        first = project_sql(self.node, self._late_feed.name, f", {WM} - {self._lag_us} AS {WM}")
        return self.projected(first, f", {WM}")

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows, done = (delta.rows, False) if self._shortcut is None else self._shortcut.taken(delta.rows)
        if not done:
            rows = self._evaluated(rows) if rows.num_rows else no_rows(self.schema)
        late = None
        if delta.late is not None:
            self._late_feed.rows = delta.late
            late = self.duck.evaluate(self._late_sql())
        watermark = delta.watermark_us
        if self._lag_us and abs(watermark) < WATERMARK_MAX_US:
            watermark -= self._lag_us
        return Delta(rows, watermark, late, delta.many)

    def _evaluated(self, rows: pa.Table) -> pa.Table:
        self._feed.rows = rows
        return self._statement.rows()

    def describe(self) -> str:
        return project_shown(self.node)
