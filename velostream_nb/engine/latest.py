"""Latest: the newest row per key by event time, as a changelog."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.bands import by_position, later
from velostream_nb.engine.delta import Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.join_keys import Numbers
from velostream_nb.engine.node import Operator
from velostream_nb.engine.numbering import with_room
from velostream_nb.sql import plan

_FEW = 4096
"""So many replaced rows are not worth a copy of the others."""
_CHUNKS = 64


class Latest(Operator):
    """Takes back the old row and gives the newest one of every key that the tick changed.

    Needs no watermark: the changelog is right after every tick, whatever the disorder. Late rows count. A tick costs
    its own rows: those replaced stay where they are until they are as many as the others.
    """

    name = "latest"
    node: plan.Latest

    def __init__(self, node: plan.Latest, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        fields = [upstream.schema.field(c) for c in node.columns]
        self.schema = pa.schema([*fields, pa.field(WEIGHT, pa.int64())])
        self._order = (TS, *node.inputs[0].pos)
        self._types = [upstream.schema.field(k).type for k in node.keys]
        self._upstream = upstream.schema
        self._clear()

    def _clear(self) -> None:
        self._rows = no_rows(self._upstream)
        self._keys = Numbers(self._types, nulls=True)
        self._place: Int64s = np.empty(0, dtype=np.int64)
        self._count = 0

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        new = delta.rows
        if delta.late is not None:
            new = concat([new, delta.late.select(new.schema.names)])
        if not new.num_rows:
            return Delta(no_rows(self.schema), delta.watermark_us)
        gone, come = self._taken(new)
        changed = pa.concat_tables([self._weighted(gone, -1), self._weighted(come, 1)])
        return Delta(changed, delta.watermark_us)

    def _taken(self, new: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Keep what is newest now: (the rows that are replaced, those that come)."""
        before = self._rows.num_rows
        run = self._keys.run(new, self.node.keys, int64s(new, TS))
        run = by_position(run, [partial(int64s, new, name) for name in self._order[1:]])
        last = np.flatnonzero(np.append(run.codes[1:] != run.codes[:-1], True))
        rows, codes = run.rows[last], run.codes[last]
        place = with_room(self._place, len(self._keys), -1).astype(np.int64, copy=False)
        old = place[codes]
        known = np.flatnonzero(old >= 0)
        newer = np.ones(len(rows), dtype=np.bool_)
        gone = self._rows.slice(0, 0)
        if len(known):
            kept = self._rows.take(vector(old[known]))
            both = concat([new.select(kept.column_names), kept])
            columns = [int64s(both, name) for name in self._order]
            newer[known] = later(columns, rows[known], new.num_rows + np.arange(len(known)))
            gone = kept.filter(vector(newer[known]))
        rows, codes = rows[newer], codes[newer]
        come = new.take(vector(rows))
        place[codes] = before + np.arange(len(rows))
        self._place = place
        self._count += len(rows) - gone.num_rows
        self._rows = concat([self._rows, come])
        self._sweep()
        return gone, come

    def _sweep(self) -> None:
        if self._rows.num_rows > 2 * self._count + _FEW:
            alive = np.flatnonzero(self._place >= 0)
            self._rows = self._rows.take(vector(self._place[alive])).combine_chunks()
            self._place[alive] = np.arange(len(alive))
        elif self._rows.column(TS).num_chunks > _CHUNKS:
            self._rows = self._rows.combine_chunks()

    def _weighted(self, rows: pa.Table, weight: int) -> pa.Table:
        weights = vector(np.full(rows.num_rows, weight, dtype=np.int64))
        return pa.Table.from_arrays([*rows.select(list(self.node.columns)).columns, weights], schema=self.schema)

    def describe(self) -> str:
        return f"newest row per ({', '.join(self.node.keys)}); keeps one row per key"

    # -- state ------------------------------------------------------------------------------------------------------

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._rows.take(vector(np.sort(self._place[self._place >= 0])))}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._clear()
        if tables["kept"].num_rows:
            self._taken(tables["kept"])

    def state_size(self) -> tuple[int, int]:
        each = self._rows.nbytes // max(1, self._rows.num_rows)
        return self._count, each * self._count + self._place.nbytes + self._keys.nbytes
