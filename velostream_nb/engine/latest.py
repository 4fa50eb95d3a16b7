"""Latest: the newest row per key, as an upsert changelog."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import OP
from velostream_nb.engine.delta import Account, Delta, codes_of, concat, int64s, last_per_code
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.sql import plan


class Latest(Operator):
    """Emits the newest row of every key that the tick changed; one row a key and tick, none that did not change.

    Needs no watermark: the changelog is right after every tick, whatever the disorder. Late rows count.
    """

    name = "latest"
    node: plan.Latest

    def __init__(self, node: plan.Latest, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._row_schema = upstream.schema
        self.schema = upstream.schema.append(pa.field(OP, pa.string()))
        self._kept = upstream.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        new = delta.rows
        if delta.late is not None:
            new = concat([new, delta.late.select(new.schema.names)])
        changed = self._row_schema.empty_table()
        if new.num_rows:
            rows = concat([self._kept, new])
            fresh = np.arange(rows.num_rows) >= self._kept.num_rows
            keys = [int64s(rows, name) for name in hidden_of(self.node)]
            order = np.lexsort(keys[::-1])
            rows, fresh = rows.take(pa.array(order)), fresh[order]
            newest = last_per_code(codes_of(rows, self.node.keys), 1)
            self._kept = rows.filter(pa.array(newest)).combine_chunks()
            changed = rows.filter(pa.array(newest & fresh))
        ops = pa.array(["upsert"] * changed.num_rows, type=pa.string())
        return Delta(changed.append_column(OP, ops), delta.watermark_us)

    def describe(self) -> str:
        return f"newest row per ({', '.join(self.node.keys)}), as upserts; keeps one row per key"

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]
