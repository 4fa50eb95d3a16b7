"""IntervalJoin: rows of two inputs whose event times differ by a bounded amount."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.vectors import flags_in, vector
from velostream_nb.engine.bands import Pairs, Run
from velostream_nb.engine.delta import Account, Delta, Int64s, concat
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.engine.join_band import band_of
from velostream_nb.engine.join_pairs import Banded
from velostream_nb.engine.join_query import Queried
from velostream_nb.engine.join_side import Side
from velostream_nb.engine.node import Operator, hidden_of, shown
from velostream_nb.engine.projection import Projection
from velostream_nb.sql import plan

_NAMES = ("left", "right")
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
    fuses = True

    def __init__(
        self,
        node: plan.IntervalJoin,
        duck: Duck,
        account: Account,
        left: Operator,
        right: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self._tracked = _KEEPS.get(node.kind, (False, False))
        self._whole_rows = node.kind not in ("semi", "anti")
        self._schemas = left.schema, right.schema
        band = band_of(node, *self._schemas)
        self._one = band is not None and left is right and band.mirrored
        self._matches: Banded | Queried
        if band is None:
            self._matches = Queried(node, duck, *self._schemas)
        else:
            self._matches = Banded(node, duck, *self._schemas, band, one=self._one)
        self._left, self._right = self._empty()
        self._hidden = [TS, *node.inputs[0].pos], [TS, *node.inputs[1].pos]
        names = [
            (*(c for c, _ in columns), *i.pos)
            for columns, i in zip((node.left_columns, node.right_columns), node.inputs, strict=True)
        ]
        self._taken = [[s.get_field_index(n) for n in own] for s, own in zip(self._schemas, names, strict=True)]
        self._own = self._output_schema()
        self._projection = Projection(self, self._own) if then else None
        self.schema = self._projection.schema if self._projection else self._own

    def _empty(self) -> tuple[Side, Side]:
        left = Side(self._schemas[0], once=not self._whole_rows and not self._one)
        return left, left if self._one else Side(self._schemas[1])

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
        node, watermarks = self.node, (inputs[0].watermark_us, inputs[1].watermark_us)
        rows = inputs[0].rows, inputs[1].rows
        parts, new = [], (Run.none(), Run.none())
        if rows[0].num_rows or rows[1].num_rows:
            new, pairs = self._came(rows)
            parts.append(self._matched(*pairs))
        least_us = watermarks[1] + node.low_us, watermarks[0] - node.high_us
        for side in (0, 1):
            if self._tracked[side]:
                lone = self._sides[side].lonely(side, least_us[side])
                if len(lone) and node.kind != "semi":
                    parts.append(self._alone(lone, side))
        out = Delta(self._projected(parts), self._watermark(watermarks), many=True)
        if self._left is self._right:
            least_us = (min(least_us),) * 2
        self._left.passed(least_us[0])
        self._right.passed(least_us[1])
        self._matches.settled(self._left, self._right, new)
        for number, delta in enumerate(inputs):
            self.account.drop(delta.late, number)
        return out

    def _projected(self, parts: list[pa.Table]) -> pa.Table:
        rows = concat([no_rows(self._own), *parts])
        return rows if self._projection is None else self._projection.rows(rows)

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self._left, self._right

    def _came(self, rows: tuple[pa.Table, pa.Table]) -> tuple[tuple[Run, Run], Pairs]:
        """(the new rows of each side, the pairs that they make)."""
        if self._left is self._right and rows[0] is not rows[1]:
            self._right = self._left.copy()  # where a row is at fault, the sides are tried one after the other
        before = [(side.count, len(side.rows)) for side in self._sides]
        left = self._appended(0, rows[0])
        right = left if self._left is self._right else self._appended(1, rows[1])
        try:
            return (left, right), self._matches.pairs(*self._sides, (left, right))
        except EvaluationError:
            for side, counts in zip(self._sides, before, strict=True):
                side.truncate(*counts)
            raise

    def _appended(self, number: int, rows: pa.Table) -> Run:
        if not rows.num_rows:
            return Run.none()
        run, side = self._matches.run(rows, number), self._sides[number]
        waits = any(self._tracked) if self._left is self._right else self._tracked[number]
        return side.append(rows, run if waits else run.keyed())

    def _watermark(self, watermarks: tuple[int, int]) -> int:
        """Pairs to come are at both watermarks or after them; rows that wait for a match may come at their own time."""
        sides = [(number, side) for number, side in enumerate(self._sides) if self._tracked[number]]
        waiting = [us for number, side in sides if (us := side.oldest_waiting_us(number)) is not None]
        return min(*(watermarks if self._whole_rows else watermarks[:1]), *waiting, watermarks[0])

    def _matched(self, left_rows: Int64s, right_rows: Int64s) -> pa.Table:
        """What comes of pairs: of a semi join, instead of these, the left rows that have had their first match."""
        fresh = left_rows[~self._left.done(0)[left_rows]] if self.node.kind == "semi" else left_rows[:0]
        for number, rows in enumerate((left_rows, right_rows)):
            if self._tracked[number]:
                self._sides[number].done(number)[rows] = True
        if not len(left_rows) or self.node.kind == "anti":
            return no_rows(self._own)
        return self._paired(left_rows, right_rows) if self._whole_rows else self._alone(np.unique(fresh), 0)

    def _paired(self, left_rows: Int64s, right_rows: Int64s) -> pa.Table:
        """Pairs of rows as output, by event time."""
        left, right = self._sides
        times = np.maximum(left.times[left_rows], right.times[right_rows])
        order = np.argsort(times, kind="stable")
        own = left.rows.taken(self._taken[0], left.at[left_rows[order]])
        other = right.rows.taken(self._taken[1], right.at[right_rows[order]])
        ends = len(self.node.left_columns), len(self.node.right_columns)
        ordered = [*own[: ends[0]], *other[: ends[1]], vector(times[order]), *own[ends[0] :], *other[ends[1] :]]
        return pa.Table.from_arrays(ordered, schema=self._own)

    def _alone(self, rows: Int64s, number: int) -> pa.Table:
        """Rows of one side as output: NULLs for the other side's columns, -1 for its positions."""
        node, side = self.node, self._sides[number]
        columns = (node.left_columns, node.right_columns)[number]
        split = len(node.inputs[0].pos)
        names = *(o for _, o in columns), *(node.pos[split:] if number else node.pos[:split])
        found = dict(zip(names, side.rows.taken(self._taken[number], side.at[rows]), strict=True))
        found[TS] = vector(side.times[rows])
        arrays = [found[f.name] if f.name in found else _absent(f, len(rows), node.pos) for f in self._own]
        return pa.Table.from_arrays(arrays, schema=self._own)

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
        for number, (name, side) in enumerate(zip(_NAMES, self._sides, strict=True)):
            rows, done = side.snapshot(number)
            found[name] = rows.append_column(_MATCHED, vector(done)) if self._tracked[number] else rows
        return found

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        rows = [tables[n].select(schema.names) for n, schema in zip(_NAMES, self._schemas, strict=True)]
        self._left, self._right = self._empty()
        one = self._left is self._right
        if one and not rows[0].select(self._hidden[0]).equals(rows[1].select(self._hidden[1])):
            self._right, one = self._left.copy(), False
        left = self._appended(0, rows[0])
        new = left, left if one else self._appended(1, rows[1])
        for number, (name, side) in enumerate(zip(_NAMES, self._sides, strict=True)):
            if self._tracked[number]:
                side.done(number)[:] = flags_in(tables[name].column(_MATCHED))[side.at]
        self._matches.settled(self._left, self._right, new)

    def state_size(self) -> tuple[int, int]:
        sizes = [side.size() for side in {id(side): side for side in self._sides}.values()]
        return sum(rows for rows, _ in sizes), sum(size for _, size in sizes) + self._matches.nbytes


def _absent(field: pa.Field, rows: int, positions: tuple[str, ...]) -> pa.Array:
    return vector(np.full(rows, -1)) if field.name in positions else pa.nulls(rows, field.type)


def _past(us: int) -> str:
    return "past" if us == 0 else f"{us / 1e6:g} s past" if us > 0 else f"{-us / 1e6:g} s before"
