"""Changelogs: an append-only input as one, unions, and what of a tick's changes leaves the engine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import OP, TS, WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, Int64s, codes_of, concat, int64s
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.netting import netted
from velostream_nb.engine.node import Operator
from velostream_nb.sql import plan


class AsChanges(Operator):
    """Every row of an append-only input comes, and none goes; late rows are rows."""

    name = "changes"
    node: plan.AsChanges

    def __init__(self, node: plan.AsChanges, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        fields = [upstream.schema.field(c) for c in node.columns]
        self.schema = pa.schema([*fields, pa.field(WEIGHT, pa.int64())])

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        parts = [delta.rows.select(list(self.node.columns))]
        if delta.late is not None:
            parts.append(delta.late.select(list(self.node.columns)))
        rows = concat(parts)
        ones = vector(np.ones(rows.num_rows, dtype=np.int64))
        return Delta(rows.append_column(self.schema.field(WEIGHT), ones), delta.watermark_us)

    def describe(self) -> str:
        return "rows as changes"


class Union(Operator):
    """UNION ALL: the rows of all inputs; DuckDB finds the types they have in common."""

    name = "union"
    node: plan.Union

    def __init__(self, node: plan.Union, duck: Duck, account: Account, *upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._feeds = [duck.feed(u.schema) for u in upstream]
        sql = " UNION ALL ".join(self._branch(i) for i in range(len(upstream)))
        self.schema = duck.schema_of(sql)
        self._statement = duck.prepare(sql)
        self._late_schemas = [u.schema for u in upstream]

    def _branch(self, number: int) -> str:
        """One input's rows; its positions are filled up, and its number is the last one."""
        node, source = self.node, self.node.inputs[number]
        renamed = zip(source.columns, node.columns, strict=True)
        columns = ", ".join(f"{quote(c)} AS {quote(o)}" for c, o in renamed)
        if node.changes:
            return f"SELECT {columns}, {WEIGHT} FROM {self._feeds[number].name} AS __in"
        own = [quote(p) for p in source.pos] + ["0::BIGINT"] * (len(node.pos) - 1 - len(source.pos))
        own.append(f"{number}::BIGINT")
        positions = ", ".join(f"{value} AS {quote(p)}" for value, p in zip(own, node.pos, strict=True))
        return f"SELECT {columns}, {TS}, {positions} FROM {self._feeds[number].name} AS __in"

    def step(self, inputs: list[Delta]) -> Delta:
        watermark_us = min(d.watermark_us for d in inputs)
        rows = self._united([d.rows for d in inputs])
        late = self._late(inputs)
        return Delta(rows, watermark_us, late, many=True)

    def _united(self, tables: list[pa.Table]) -> pa.Table:
        if not any(t.num_rows for t in tables):
            return no_rows(self.schema)
        for feed, table in zip(self._feeds, tables, strict=True):
            feed.rows = table
        return self._statement.rows()

    def _late(self, inputs: list[Delta]) -> pa.Table | None:
        """Late rows of all inputs, each with its own watermark: the same statement, an input at a time."""
        found = []
        for number, delta in enumerate(inputs):
            if delta.late is not None:
                empty = [no_rows(s) for s in self._late_schemas]
                empty[number] = delta.late.select(self._late_schemas[number].names)
                field = delta.late.schema.field(delta.late.num_columns - 1)
                found.append(self._united(empty).append_column(field, delta.late.column(delta.late.num_columns - 1)))
        return concat(found) if found else None

    def describe(self) -> str:
        return f"union all of {len(self._feeds)} inputs"


class Emit:
    """The last step of a changelog: equal rows that come and go cancel out, the rest gets its `OP`.

    Args:
        schema: of the changes: columns, then `WEIGHT`.
        mode: 'upsert': the new row of every key that has one, and the old row of every key that has none any more;
            'retract': all rows, as often as they come or go.
    """

    def __init__(self, schema: pa.Schema, node: plan.Node, mode: str) -> None:
        self._columns = node.columns
        self._key = node.key or ()
        self._upserts = mode == "upsert"
        netted = isinstance(node, plan.Keyed | plan.Group | plan.TopN)
        self._netted = netted and not isinstance(node, plan.ChangesJoin)
        fields = [schema.field(c) for c in node.columns]
        self.schema = pa.schema([*fields, pa.field(OP, pa.string())])

    def rows(self, changes: pa.Table) -> pa.Table:
        """Columns and `OP`; deletes come before what takes their place."""
        if not changes.num_rows:
            return no_rows(self.schema)
        weights = int64s(changes, WEIGHT)
        if not self._netted and weights.min() < 0:
            places, weights = netted(codes_of(changes, self._columns), weights)
            changes = changes.take(vector(places))
        gone, come = np.flatnonzero(weights < 0), np.flatnonzero(weights > 0)
        if self._upserts:
            if len(gone):
                gone = gone[~_same(codes_of(changes, self._key), gone, come)]
        else:
            gone, come = np.repeat(gone, -weights[gone]), np.repeat(come, weights[come])
        columns = [changes.column(name) for name in self._columns]
        places = np.concatenate([gone, come]) if len(gone) else come
        # such as all new rows, behind the old ones that they replace
        if len(places) and places[-1] - places[0] == len(places) - 1 and bool((places[1:] > places[:-1]).all()):
            columns = [column.slice(places[0], len(places)) for column in columns]
        else:
            indexes = vector(places)
            columns = [column.take(indexes) for column in columns]
        ops = [pa.repeat("upsert" if self._upserts else "insert", len(come))]
        if len(gone):
            ops.insert(0, pa.repeat("delete", len(gone)))
        return pa.Table.from_arrays([*columns, pa.chunked_array(ops)], schema=self.schema)


def _same(codes: Int64s, some: Int64s, others: Int64s) -> npt.NDArray[np.bool_]:
    """Which of some rows have the code of one of the others."""
    most = int(codes.max(initial=0)) + 1
    if most > 4 * len(codes) + 1024:
        return np.isin(codes[some], codes[others])
    there = np.zeros(most, dtype=np.bool_)
    there[codes[others]] = True
    return there[codes[some]]
