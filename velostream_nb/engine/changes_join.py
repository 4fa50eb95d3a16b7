"""ChangesJoin: an inner join over all rows of two changelogs; what comes out is what the tick's changes meet.

The change of a product: new rows of the left with the old ones of the right, old ones of the left with new ones of the
right, and new ones with new ones; weights are multiplied. Nothing that was given needs to be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, Int64s, int64s
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.keyed import OWNER, Keyed, Keys
from velostream_nb.engine.node import Operator, shown
from velostream_nb.engine.projection import Projection
from velostream_nb.engine.weighted_rows import WeightedRows
from velostream_nb.sql import plan

_ROW = "__row"
_FEW = 1_024
"""So many keys without rows are not worth numbering the others anew."""


class ChangesJoin(Keyed):
    """By pairs where keys are columns of one type on both sides, else answered anew by key."""

    @classmethod
    def for_node(cls, node: plan.Node, duck: Duck, upstream: Sequence[Operator]) -> type[Operator]:
        assert isinstance(node, plan.ChangesJoin)
        feeds = [duck.feed(u.schema) for u in upstream]
        plain = Keys(duck, feeds, node.by).is_plain
        for feed in feeds:
            duck.drop(feed)
        return PairsJoin if plain else cls


@dataclass(slots=True)
class _Change:
    """A tick's rows of one side that some row may meet.

    Attributes:
        keys: the number of each one's key.
    """

    rows: pa.Table
    weights: Int64s
    keys: Int64s


@dataclass(slots=True)
class _Pairs:
    """Rows of both sides that meet: (rows of a table, places of kept ones), each the left's or the right's."""

    change: _Change
    kept: WeightedRows
    which: Int64s
    places: Int64s
    flipped: bool
    """The change is the right side's."""


class PairsJoin(Operator):
    """See the module. A row whose key is NULL meets none, and is not kept."""

    name = "join"
    node: plan.ChangesJoin
    fuses = True

    def __init__(
        self,
        node: plan.ChangesJoin,
        duck: Duck,
        account: Account,
        *upstream: Operator,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self._keys = Keys(duck, [duck.feed(u.schema) for u in upstream], node.by)
        given = [pa.schema([f for f in u.schema if f.name != WEIGHT]) for u in upstream]
        self._sides = [WeightedRows(schema) for schema in given]
        self._columns = (node.left_columns, node.right_columns)
        self._fields = {
            o: schema.field(c).with_name(o)
            for schema, pairs in zip(given, self._columns, strict=True)
            for c, o in pairs
        }
        self._own = pa.schema([*(self._fields[c] for c in node.columns), pa.field(WEIGHT, pa.int64())])
        self._condition_columns = [o for o in self._fields if quote(o) in node.condition]
        if node.condition:
            read = [*(self._fields[o] for o in self._condition_columns), pa.field(_ROW, pa.int64())]
            self._feed = duck.feed(pa.schema(read))
            self._passing = duck.prepare(f"SELECT {_ROW} FROM {self._feed.name} AS __in WHERE {node.condition}")
        self._projection = Projection(self, self._own) if then else None
        self.schema = self._projection.schema if self._projection else self._own

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        watermark_us = min(d.watermark_us for d in inputs)
        if not any(d.rows.num_rows for d in inputs):
            return Delta(no_rows(self.schema), watermark_us)
        left, right = (self._change(side, delta.rows) for side, delta in enumerate(inputs))
        fresh = WeightedRows(self._sides[0].schema)
        fresh.add(left.rows, left.weights, left.keys)
        met = [
            self._met(left, self._sides[1], flipped=False),
            self._met(right, self._sides[0], flipped=True),
            self._met(right, fresh, flipped=True),
        ]
        found = [self._joined(pairs) for pairs in met if len(pairs.which)]
        for side, change in zip(self._sides, (left, right), strict=True):
            side.add(change.rows, change.weights, change.keys)
        self._sweep()
        out = pa.concat_tables(found) if found else no_rows(self._own)
        return Delta(out if self._projection is None else self._projection.rows(out), watermark_us)

    def _change(self, side: int, rows: pa.Table) -> _Change:
        for column in self._keys.columns(side):
            if rows.column(column).null_count:
                rows = rows.filter(rows.column(column).is_valid())
        keys = self._keys.number(side, rows) if rows.num_rows else np.empty(0, dtype=np.int64)
        return _Change(rows.drop_columns([WEIGHT]), int64s(rows, WEIGHT), keys)

    def _met(self, change: _Change, kept: WeightedRows, *, flipped: bool) -> _Pairs:
        """The pairs that the condition holds for, in the order of the kept rows."""
        which, places = kept.pairs(change.keys)
        order = np.argsort(places, kind="stable")
        pairs = _Pairs(change, kept, which[order], places[order], flipped)
        if not self.node.condition or not len(which):
            return pairs
        columns = self._picked(pairs, self._condition_columns)
        rows = vector(np.arange(len(which)))
        self._feed.rows = pa.Table.from_arrays([*columns, rows], schema=self._feed.schema)
        passing = np.sort(int64s(self._passing.rows(), _ROW))
        return _Pairs(change, kept, pairs.which[passing], pairs.places[passing], flipped)

    def _joined(self, pairs: _Pairs) -> pa.Table:
        weights = pairs.change.weights[pairs.which] * pairs.kept.weights(pairs.places)
        return pa.Table.from_arrays([*self._picked(pairs, self.node.columns), vector(weights)], schema=self._own)

    def _picked(self, pairs: _Pairs, columns: Sequence[str]) -> list[pa.ChunkedArray]:
        """Output columns of pairs."""
        changed, kept = self._columns[::-1] if pairs.flipped else self._columns
        names = {o: c for c, o in changed if o in columns}
        found = pairs.change.rows.select(list(names.values())).take(vector(pairs.which))
        arrays = dict(zip(names, found.columns, strict=True))
        names = {o: c for c, o in kept if o in columns}
        arrays |= dict(zip(names, pairs.kept.take(pairs.places, list(names.values())).columns, strict=True))
        return [arrays[o] for o in columns]

    def _sweep(self) -> None:
        """Forget the numbers of keys that nothing is kept of, once they are many."""
        if len(self._keys.numbering) > 2 * sum(side.rows for side in self._sides) + _FEW:
            used = np.unique(np.concatenate([side.every()[2] for side in self._sides]))
            fresh = np.full(len(self._keys.numbering), -1, dtype=np.int64)
            fresh[used] = self._keys.numbering.keep(used)
            for side in self._sides:
                side.renumber(fresh)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"{shown(self.node.what)}; keeps the rows of both inputs, by key"

    def tables(self) -> dict[str, pa.Table]:
        found = {"keys": self._keys.table()}
        for number, side in enumerate(self._sides):
            rows, weights, keys = side.every()
            weighted = rows.append_column(WEIGHT, vector(weights))
            found[f"side{number}"] = weighted.append_column(OWNER, vector(keys))
        return found

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        numbers = self._keys.load(tables["keys"])
        for number, side in enumerate(self._sides):
            table = tables[f"side{number}"]
            side.clear()
            rows = table.drop_columns([WEIGHT, OWNER])
            side.add(rows, int64s(table, WEIGHT), numbers[int64s(table, OWNER)])

    def state_size(self) -> tuple[int, int]:
        size = sum(side.nbytes for side in self._sides) + self._keys.numbering.nbytes
        return sum(side.rows for side in self._sides), size
