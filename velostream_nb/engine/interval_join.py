"""IntervalJoin: rows of two inputs whose event times differ by a bounded amount."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, no_rows
from velostream_nb.engine.delta import Account, Delta, Int64s, concat
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.join_band import Banded, band_of
from velostream_nb.engine.join_query import Queried
from velostream_nb.engine.join_side import Side
from velostream_nb.engine.node import Operator, hidden_of, shown
from velostream_nb.sql import plan

_MATCHED = "__matched"
"""Hidden column of a snapshot: has the row had a match?"""

_KEEPS = {
    "left": (True, False),
    "right": (False, True),
    "full": (True, True),
    "semi": (True, False),
    "anti": (True, False),
}
"""Per kind: does it matter whether a left row, a right row, has a match?"""


class IntervalJoin(Operator):
    """New left × all right, old left × new right; rows that the watermark says cannot match any more are dropped.

    A row that must come without a match (outer joins, ANTI) comes when it is dropped: then no row still to come on the
    other side can match it. As such a row has its own event time, it holds the output's watermark back until then.
    Late rows are dropped.
    """

    name = "interval join"
    node: plan.IntervalJoin

    def __init__(self, node: plan.IntervalJoin, duck: Duck, account: Account, left: Operator, right: Operator) -> None:
        super().__init__(node, duck, account)
        self._tracked = _KEEPS.get(node.kind, (False, False))
        self._whole_rows = node.kind not in ("semi", "anti")
        self._schemas = left.schema, right.schema
        band = band_of(node, *self._schemas)
        self._matches: Banded | Queried
        if band is None:
            self._matches = Queried(node, duck, *self._schemas)
        else:
            self._matches = Banded(node, duck, *self._schemas, band)
        self.schema = self._output_schema()
        self._left, self._right = Side.empty(left.schema), Side.empty(right.schema)

    def _output_schema(self) -> pa.Schema:
        node, (left, right) = self.node, self._schemas
        if not self._whole_rows:
            fields = [left.field(c).with_name(o) for c, o in node.left_columns]
            return pa.schema([*fields, *(left.field(h) for h in hidden_of(node))])
        fields = [pa.field(o, left.field(c).type) for c, o in node.left_columns]
        fields += [pa.field(o, right.field(c).type) for c, o in node.right_columns]
        return pa.schema([*fields, *(pa.field(h, pa.int64()) for h in hidden_of(node))])

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        left, right, parts = self._left, self._right, []
        if inputs[0].rows.num_rows or inputs[1].rows.num_rows:
            arrived = self._matches.arrived((inputs[0].rows, inputs[1].rows))
            left = left.with_new(arrived[0], tracked=self._tracked[0])
            right = right.with_new(arrived[1], tracked=self._tracked[1])
            left, right, found = self._joined(left, right)
            parts.append(found)
        node, watermarks = self.node, (inputs[0].watermark_us, inputs[1].watermark_us)
        left, lone_left = left.settled(watermarks[1] + node.low_us, once=not self._whole_rows)
        right, lone_right = right.settled(watermarks[0] - node.high_us, once=False)
        if node.kind != "semi" and len(lone_left):
            parts.append(self._alone(left, lone_left, 0))
        if len(lone_right):
            parts.append(self._alone(right, lone_right, 1))
        self._left, self._right = self._matches.tidied(left, right)
        for side, delta in enumerate(inputs):
            self.account.drop(delta.late, side)
        return Delta(concat([no_rows(self.schema), *parts]), self._watermark(watermarks), many=True)

    def _watermark(self, watermarks: tuple[int, int]) -> int:
        """Pairs to come are at both watermarks or after them; rows that wait for a match may come at their own time."""
        waiting = [us for side in (self._left, self._right) if (us := side.oldest_unfound_us()) is not None]
        return min(*(watermarks if self._whole_rows else watermarks[:1]), *waiting, watermarks[0])

    def _joined(self, left: Side, right: Side) -> tuple[Side, Side, pa.Table]:
        """(the sides with what has had a match, the pairs that a new row makes).

        Of a semi join, instead of pairs, the left rows that have had their first match now.
        """
        rows = self._matches.pairs(left, right) if len(left) and len(right) else None
        if rows is None or not len(rows[0]):
            return left, right, no_rows(self.schema)
        if not self._whole_rows:
            after = left.with_found(rows[0])
            fresh = np.flatnonzero(after.found & ~left.found)
            found = self._alone(left, fresh, 0) if self.node.kind == "semi" else no_rows(self.schema)
            return after, right, found
        found = self._paired(left, right, *rows)
        if self._tracked[0]:
            left = left.with_found(rows[0])
        if self._tracked[1]:
            right = right.with_found(rows[1])
        return left, right, found

    def _paired(self, left: Side, right: Side, left_rows: Int64s, right_rows: Int64s) -> pa.Table:
        """Pairs of rows as output, by event time."""
        node = self.node
        times = np.maximum(left.times(left_rows), right.times(right_rows))
        order = np.argsort(times, kind="stable")
        arrays = []
        for side, rows, columns, upstream in (
            (left, left_rows, node.left_columns, node.inputs[0]),
            (right, right_rows, node.right_columns, node.inputs[1]),
        ):
            chosen = side.rows.select([*(c for c, _ in columns), *upstream.pos])
            arrays.append(chosen.take(pa.array(rows[order])).columns)
        own, other = arrays
        ends = len(node.left_columns), len(node.right_columns)
        ordered = [*own[: ends[0]], *other[: ends[1]], pa.array(times[order]), *own[ends[0] :], *other[ends[1] :]]
        return pa.Table.from_arrays(ordered, schema=self.schema)

    def _alone(self, side: Side, rows: Int64s, number: int) -> pa.Table:
        """Rows of one side as output: NULLs for the other side's columns, -1 for its positions."""
        node = self.node
        columns = node.left_columns if number == 0 else node.right_columns
        own = {o: c for c, o in columns} | {TS: TS}
        before = len(node.inputs[0].pos)
        own |= dict(zip(node.pos[:before] if number == 0 else node.pos[before:], node.inputs[number].pos, strict=True))
        found = side.rows.take(pa.array(rows))
        arrays = []
        for field in self.schema:
            if field.name in own:
                arrays.append(found.column(own[field.name]))
            elif field.name in node.pos:
                arrays.append(pa.array(np.full(len(rows), -1, dtype=np.int64)))
            else:
                arrays.append(pa.nulls(len(rows), field.type))
        return pa.table(arrays, schema=self.schema)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        node = self.node
        kind = "" if node.kind == "inner" else f"{node.kind} "
        waits = "; a row without a match comes when none can come any more"
        return (
            f"{kind}interval join on {shown(node.condition)}; keeps left rows until the right watermark is "
            f"{_past(-node.low_us)} them, right rows until the left one is {_past(node.high_us)} them"
            f"{waits if node.kind in ('left', 'right', 'full', 'anti') else ''}"
        )

    def tables(self) -> dict[str, pa.Table]:
        found = {}
        for name, side, tracked in zip(("left", "right"), (self._left, self._right), self._tracked, strict=True):
            rows, matched = side.in_use()
            found[name] = rows.append_column(_MATCHED, pa.array(matched)) if tracked else rows
        return found

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        matched = [
            np.flatnonzero(tables[name].column(_MATCHED).to_numpy()) if tracked else None
            for name, tracked in zip(("left", "right"), self._tracked, strict=True)
        ]
        rows = [tables[n].select(schema.names) for n, schema in zip(("left", "right"), self._schemas, strict=True)]
        arrived = self._matches.arrived((rows[0], rows[1]))
        sides = []
        for schema, came, tracked, found in zip(self._schemas, arrived, self._tracked, matched, strict=True):
            side = Side.empty(schema).with_new(came, tracked=tracked)
            sides.append((side.with_found(found) if found is not None and len(found) else side).started())
        self._left, self._right = sides

    def state_size(self) -> tuple[int, int]:
        sizes = [side.size() for side in (self._left, self._right)]
        return sum(rows for rows, _ in sizes), sum(size for _, size in sizes) + self._matches.nbytes


def _past(us: int) -> str:
    return "past" if us == 0 else f"{us / 1e6:g} s past" if us > 0 else f"{-us / 1e6:g} s before"
