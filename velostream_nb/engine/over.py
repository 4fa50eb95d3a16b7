"""Over: window functions whose frames reach so far and no further."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.vectors import numbers_in, vector
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.engine.framed import Framed, can_frame
from velostream_nb.engine.node import Operator
from velostream_nb.engine.ordered import in_order
from velostream_nb.engine.over_text import calls_sql, describe_over, results_of
from velostream_nb.engine.projection import Projection
from velostream_nb.engine.reach import Look, Mask, Partitioned
from velostream_nb.sql import plan

STATE = "__row"
"""Hidden column, int8: a row is there for others (0), waits for rows of its frames (1), or is to be given (2)."""


class Over(Operator):
    """The query over (rows kept ∪ new rows), for the rows whose frames are complete.

    Rows that wait are computed along: a window function that fails does so in the tick that brings the row, which can
    be set aside then.
    """

    name = "over"
    node: plan.Over
    fuses = True

    def __init__(
        self,
        node: plan.Over,
        duck: Duck,
        account: Account,
        upstream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self._feed = duck.feed(upstream.schema.append(pa.field(STATE, pa.int8())))
        self._sql = f"{calls_sql(node, self._feed.name, f', {STATE}')} QUALIFY {STATE} > 0"
        self._projection: Projection | None = None
        sql = self.projected(self._sql, f", {STATE}")
        self._statement = duck.prepare(sql)
        self.schema = duck.schema_of(sql)
        self.schema = self.schema.remove(len(self.schema) - 1)
        self._kept = no_rows(self._feed.schema)

    @classmethod
    def for_node(cls, node: plan.Node, duck: Duck, upstream: Sequence[Operator]) -> type[Operator]:
        """`Framed`, for calls that need no more than that."""
        assert isinstance(node, plan.Over)
        (source,) = upstream
        return Framed if can_frame(node, source.schema, results_of(node, duck, source.schema)) else cls

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if not delta.rows.num_rows and (not self._kept.num_rows or delta.watermark_us == self.seen_us[0]):
            return self._given(no_rows(self.schema), delta)
        fresh = np.full(delta.rows.num_rows, 1, dtype=np.int8)
        rows = in_order(concat([self._kept, delta.rows.append_column(STATE, vector(fresh))]), self.node)
        looks = self._looks(rows, delta.watermark_us)
        waiting: Mask = numbers_in(rows.column(STATE)) == 1
        ready = waiting.copy()
        for look in looks:
            ready &= look.parts.rows_of(look.complete())
        out = no_rows(self.schema)
        if delta.rows.num_rows or ready.any():
            out = self._answer(rows, waiting, ready, looks)
        still = waiting & ~ready
        needed = still.copy()
        for look in looks:
            needed |= look.parts.rows_of(look.needed(look.parts.sorted(still)))
        self._kept = _marked(rows, still.astype(np.int8)).filter(vector(needed)).combine_chunks()
        return self._given(out, delta)

    def _given(self, rows: pa.Table, delta: Delta) -> Delta:
        """Event time goes no further than the oldest row that waits."""
        watermark_us = delta.watermark_us
        waiting = numbers_in(self._kept.column(STATE)) == 1
        if waiting.any():
            watermark_us = min(watermark_us, int(int64s(self._kept, TS)[waiting].min()))
        # partitions wait on their own: rows of one time may come in several ticks
        return Delta(rows, watermark_us, many=any(r.waits for r in self.node.reaches))

    def _looks(self, rows: pa.Table, watermark_us: int) -> list[Look]:
        parts: dict[tuple[str, ...], Partitioned] = {}
        looks = []
        for reach in self.node.reaches:
            if reach.partition not in parts:
                parts[reach.partition] = Partitioned(rows, reach.partition)
            looks.append(Look(reach, parts[reach.partition], rows, watermark_us))
        return looks

    def _answer(self, rows: pa.Table, waiting: Mask, ready: Mask, looks: list[Look]) -> pa.Table:
        """The rows that are ready, computed over the partitions that have rows to look at."""
        state = waiting.astype(np.int8) + ready
        looked_at = state > 0
        partings = {id(look.parts): look.parts for look in looks}
        if len(partings) == 1 and looked_at.sum() * 2 < len(state):
            (parts,) = partings.values()
            touched = np.isin(parts.codes, np.unique(parts.codes[looked_at]))
            rows, state = rows.filter(vector(touched)), state[touched]
        self._feed.rows = _marked(rows, state)
        try:
            return in_order(_ready(self._statement.rows()), self.output)
        except EvaluationError:
            if not self.then:
                raise
        return self._projected_apart()

    def _projected_apart(self) -> pa.Table:
        """The same in two steps; EvaluationError when it is a window function that cannot be computed."""
        own = in_order(_ready(self.duck.evaluate(self._sql)), self.node)
        if self._projection is None:
            self._projection = Projection(self, own.schema)
        return self._projection.rows(own)

    def describe(self) -> str:
        return describe_over(self.node)

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]


def _ready(rows: pa.Table) -> pa.Table:
    state = numbers_in(rows.column(STATE))
    return (rows if (state == 2).all() else rows.filter(vector(state == 2))).drop_columns([STATE])


def _marked(rows: pa.Table, state: np.ndarray[tuple[int], np.dtype[np.int8]]) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(STATE), STATE, vector(state))
