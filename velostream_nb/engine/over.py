"""Over: window functions whose frames reach so far and no further."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, quoted
from velostream_nb.engine.node import Operator, hidden_of, items_shown, items_sql, shown
from velostream_nb.engine.ordered import in_order
from velostream_nb.engine.reach import Look, Mask, Partitioned
from velostream_nb.sql import plan

STATE = "__row"
"""Hidden column, int8: a row is there for others (0), waits for rows of its frames (1), or is to be given (2)."""


class Over(Operator):
    """The query over (rows kept ∪ new rows), for the rows whose frames are complete.

    Rows that wait are computed along: what fails does so in the tick that brings it, while its row can be set aside.
    """

    name = "over"
    node: plan.Over

    def __init__(self, node: plan.Over, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._feed = duck.feed(upstream.schema.append(pa.field(STATE, pa.int8())))
        condition = f"{STATE} > 0 AND ({node.qualify})" if node.qualify else f"{STATE} > 0"
        sql = (
            f"SELECT {items_sql(node.items)}, {quoted(hidden_of(node))}, {STATE} FROM {self._feed.name} AS __in "
            f"QUALIFY {condition}"
        )
        self._statement = duck.prepare(sql)
        self.schema = duck.schema_of(sql)
        self.schema = self.schema.remove(len(self.schema) - 1)
        self._kept = self._feed.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if not delta.rows.num_rows and (not self._kept.num_rows or delta.watermark_us == self.seen_us[0]):
            return self._given(self.schema.empty_table(), delta)
        fresh = np.full(delta.rows.num_rows, 1, dtype=np.int8)
        rows = in_order(concat([self._kept, delta.rows.append_column(STATE, pa.array(fresh))]), self.node)
        looks = self._looks(rows, delta.watermark_us)
        waiting: Mask = rows.column(STATE).to_numpy() == 1
        ready = waiting.copy()
        for look in looks:
            ready &= look.parts.rows_of(look.complete())
        out = self.schema.empty_table()
        if delta.rows.num_rows or ready.any():
            out = self._answer(rows, waiting, ready, looks)
        still = waiting & ~ready
        needed = still.copy()
        for look in looks:
            needed |= look.parts.rows_of(look.needed(look.parts.sorted(still)))
        self._kept = _marked(rows, still.astype(np.int8)).filter(pa.array(needed)).combine_chunks()
        return self._given(out, delta)

    def _given(self, rows: pa.Table, delta: Delta) -> Delta:
        """Event time goes no further than the oldest row that waits."""
        watermark_us = delta.watermark_us
        waiting = self._kept.column(STATE).to_numpy() == 1
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
            rows, state = rows.filter(pa.array(touched)), state[touched]
        self._feed.rows = _marked(rows, state)
        out = self._statement.rows()
        if (waiting & ~ready).any():
            out = out.filter(pa.array(out.column(STATE).to_numpy() == 2))
        return in_order(out.drop_columns([STATE]), self.node)

    def describe(self) -> str:
        qualify = f" qualify {shown(self.node.qualify)}" if self.node.qualify else ""
        keeps = dict.fromkeys(k for r in self.node.reaches for k in _kept_by(r))
        waits = dict.fromkeys(w for r in self.node.reaches for w in _waited_for(r))
        waited = f"; waits for {' and '.join(waits)}" if waits else ""
        return f"over {items_shown(self.node.items)}{qualify}; keeps {' and '.join(keeps) or 'nothing'}{waited}"

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]


def _marked(rows: pa.Table, state: np.ndarray[tuple[int], np.dtype[np.int8]]) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(STATE), STATE, pa.array(state, pa.int8()))


def _per(reach: plan.Reach) -> str:
    names = ", ".join(c for c in reach.partition if c != reach.ends)
    return f" per ({shown(names)})" if names else ""


def _counted(count: int, reach: plan.Reach) -> str:
    noun = "row" if reach.kind == "rows" else "event time"
    return f"{count} {noun}{'s' * (count > 1)}{_per(reach)}"


def _kept_by(reach: plan.Reach) -> list[str]:
    kind = " non-null" if reach.counted else ""
    found = []
    if reach.before and reach.kind == "time":
        found.append(f"{reach.before * reach.unit_us / 1e6:g} s of rows")
    elif reach.before:
        found.append(f"last {_counted(reach.before, reach)}")
    if reach.first:
        found.append(f"first {reach.first}{kind} row{'s' * (reach.first > 1)}{_per(reach)}")
    if reach.beyond:
        found.append(f"last {reach.beyond}{kind} row{'s' * (reach.beyond > 1)}{_per(reach)}")
    return [f"{what}, until the partition ends" for what in found] if reach.ends else found


def _waited_for(reach: plan.Reach) -> list[str]:
    end = ", or the end of the partition" if reach.ends else ""
    if reach.ahead:
        return [f"{reach.ahead} later non-null row{'s' * (reach.ahead > 1)}{_per(reach)}{end}"]
    if reach.after <= 0:
        return []
    if reach.kind == "time":
        return [f"the watermark to be {reach.after * reach.unit_us / 1e6:g} s past the row"]
    return [_counted(reach.after, reach).replace(" ", " later ", 1) + end]
