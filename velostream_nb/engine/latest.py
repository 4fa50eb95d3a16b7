"""Latest: the newest row per key by event time, as a changelog."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import TS, WEIGHT, no_rows
from velostream_nb.engine.delta import Account, Delta, codes_of, concat, int64s, last_per_code
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator
from velostream_nb.sql import plan


class Latest(Operator):
    """Takes back the old row and gives the newest one of every key that the tick changed.

    Needs no watermark: the changelog is right after every tick, whatever the disorder. Late rows count.
    """

    name = "latest"
    node: plan.Latest

    def __init__(self, node: plan.Latest, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        fields = [upstream.schema.field(c) for c in node.columns]
        self.schema = pa.schema([*fields, pa.field(WEIGHT, pa.int64())])
        self._kept = no_rows(upstream.schema)

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        new = delta.rows
        if delta.late is not None:
            new = concat([new, delta.late.select(new.schema.names)])
        if not new.num_rows:
            return Delta(no_rows(self.schema), delta.watermark_us)
        rows = concat([self._kept, new])
        fresh = np.arange(rows.num_rows) >= self._kept.num_rows
        keys = [int64s(rows, name) for name in (TS, *self.node.inputs[0].pos)]
        order = np.lexsort(keys[::-1])
        rows, fresh = rows.take(pa.array(order)), fresh[order]
        newest = last_per_code(codes_of(rows, self.node.keys), 1)
        self._kept = rows.filter(pa.array(newest)).combine_chunks()
        gone, come = ~newest & ~fresh, newest & fresh
        changed = pa.concat_tables([self._weighted(rows, gone, -1), self._weighted(rows, come, 1)])
        return Delta(changed, delta.watermark_us)

    def _weighted(self, rows: pa.Table, which: npt.NDArray[np.bool_], weight: int) -> pa.Table:
        chosen = rows.filter(pa.array(which)).select(list(self.node.columns))
        return chosen.append_column(self.schema.field(WEIGHT), pa.array([weight] * chosen.num_rows, pa.int64()))

    def describe(self) -> str:
        return f"newest row per ({', '.join(self.node.keys)}); keeps one row per key"

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]
