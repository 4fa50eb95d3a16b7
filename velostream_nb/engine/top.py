"""TopN: the best rows of each partition; a row that fell out never returns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.keyed import OWNER, Keys
from velostream_nb.engine.netting import difference
from velostream_nb.engine.node import Operator, shown
from velostream_nb.engine.rows_by_key import RowsByKey
from velostream_nb.sql import plan
from velostream_nb.sql.plan_changes import KEY

_ROW = "__row"


class TopN(Operator):
    """The rows of an append-only input that satisfy a rank condition; those that do not are forgotten at once."""

    name = "top"
    node: plan.TopN

    def __init__(self, node: plan.TopN, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._keys = Keys(duck, [duck.feed(upstream.schema)], [node.partition])
        self._rows = RowsByKey(upstream.schema)
        self._feed = duck.feed(pa.schema([*upstream.schema, pa.field(KEY, pa.int64()), pa.field(_ROW, pa.int64())]))
        ranked = f"SELECT *, {node.rank} AS __rank FROM {self._feed.name} AS __in QUALIFY {node.condition}"
        # columns that come out as they are need not go through DuckDB's sort
        own = {quote(name): name for name in upstream.schema.names}
        self._as_they_are = {n: own[e] for e, n in node.items if e in own}
        items = "".join(f"{e} AS {quote(n)}, " for e, n in node.items if e not in own)
        sql = f"SELECT {items}{_ROW} FROM ({ranked}) AS __in"
        self._rank = duck.prepare(sql)
        found = duck.schema_of(sql)
        answer = [upstream.schema.field(own[e]).with_name(n) if e in own else found.field(n) for e, n in node.items]
        self.schema = pa.schema([*answer, pa.field(WEIGHT, pa.int64())])
        self._kept = RowsByKey(pa.schema(answer))

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        fresh = delta.rows
        if delta.late is not None:
            fresh = concat([fresh, delta.late.select(fresh.column_names)])
        out = no_rows(self.schema)
        if fresh.num_rows:
            out = self._change(fresh)
        return Delta(out, delta.watermark_us)

    def _change(self, fresh: pa.Table) -> pa.Table:
        numbers = self._keys.number(0, fresh)
        touched = np.unique(numbers)
        old, owners = self._rows.of(touched)
        rows = pa.concat_tables([old, fresh.cast(self._rows.schema)])
        owners = np.concatenate([owners, numbers])
        places = vector(np.arange(rows.num_rows))
        self._feed.rows = rows.append_column(KEY, vector(owners)).append_column(_ROW, places)
        answer = self._rank.rows()
        stay = int64s(answer, _ROW)
        kept = rows.take(vector(stay))
        names = self._kept.schema.names
        columns = [kept.column(self._as_they_are[n]) if n in self._as_they_are else answer.column(n) for n in names]
        answer = pa.Table.from_arrays(columns, schema=self._kept.schema)
        before, _ = self._kept.of(touched)
        out = difference(before, answer).cast(self.schema)
        self._rows.replace(touched, kept, owners[stay])
        self._kept.replace(touched, answer, owners[stay])
        return out

    def describe(self) -> str:
        condition = self.node.condition.replace("__rank", shown(self.node.rank))
        return f"rows where {condition}; keeps those rows and the last answer"

    def tables(self) -> dict[str, pa.Table]:
        found = {"keys": self._keys.table()}
        for name, store in (("rows", self._rows), ("answer", self._kept)):
            rows, owners = store.every()
            found[name] = rows.append_column(OWNER, vector(owners))
        return found

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        numbers = self._keys.load(tables["keys"])
        for name, store in (("rows", self._rows), ("answer", self._kept)):
            store.clear()
            owners = numbers[int64s(tables[name], OWNER)]
            store.replace(np.unique(owners), tables[name].drop_columns([OWNER]), owners)

    def state_size(self) -> tuple[int, int]:
        size = self._rows.nbytes + self._kept.nbytes + self._keys.numbering.nbytes
        return self._rows.rows + self._kept.rows, size
