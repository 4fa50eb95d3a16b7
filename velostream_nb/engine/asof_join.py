"""AsofJoin: each left row with the nearest right row on one side of its time, per key."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.errors import BindError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import OP, TS, no_rows
from velostream_nb.core.vectors import flags_in, integers_in, vector
from velostream_nb.engine.bands import Run, by_position, moved
from velostream_nb.engine.delta import WM, Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.join_index import Index
from velostream_nb.engine.join_keys import Numbers, common_type
from velostream_nb.engine.join_rows import Rows
from velostream_nb.engine.join_side import Bools
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.engine.projection import Projection
from velostream_nb.sql import plan

_FEW = 1 << 14
"""So many right rows of no use are not worth a copy of the others."""
_CHUNKS = 16
_UNUSED_KEYS = 1024
"""So many numbers of keys that no row has are not worth numbering anew."""

_TRUE = "__true"
"""Hidden column of a table's versions: their event time; `TS` is when they are in force from, later for late ones."""


class AsofJoin(Operator):
    """The newest right row at or before each left row, or the earliest one at or after it.

    Backward: left rows wait until the right side's watermark has passed them. The right side keeps the newest row per
    key at the left watermark, and all after it. Ties in the right event time take the latest position.

    Forward: a left row waits for a right row of its key that the right side's watermark has passed, so that none before
    it is still to come. The right side keeps what is at or after both watermarks. Ties take the earliest position.

    The match is a binary search over (key, time) in numpy: no SQL expression is involved, so no row can fail.
    """

    name = "asof join"
    node: plan.AsofJoin
    fuses = True

    def __init__(
        self,
        node: plan.AsofJoin,
        duck: Duck,
        account: Account,
        left: Operator,
        right: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        left_fields = [left.schema.field(c).with_name(o) for c, o in node.left_columns]
        right_fields = [right.schema.field(c).with_name(o) for c, o in node.right_columns]
        self._own = pa.schema([*left_fields, *right_fields, *(left.schema.field(h) for h in hidden_of(node))])
        self._projection = Projection(self, self._own) if then else None
        self.schema = self._projection.schema if self._projection else self._own
        self._keys = (tuple(a for a, _ in node.equal), tuple(b for _, b in node.equal))
        pairs = [(left.schema.field(a), right.schema.field(b)) for a, b in node.equal]
        self._numbers = Numbers([_common_type(*pair) for pair in pairs])
        self._pending = no_rows(left.schema)
        self._kept = _versions(no_rows(right.schema)).schema if node.versions else right.schema
        self._places = {name: place for place, name in enumerate(self._kept.names)}
        self._clear()

    def _clear(self) -> None:
        self._rows = Rows(self._kept)
        self._index = Index(newest=not self.node.forward, positions=self._positions)
        self._fresh: list[pa.Table] = []
        self._swept = 0

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        came, dropped = self._came(right)
        if came.num_rows:
            self._fresh.append(came)
        out, self._pending = self._matched(concat([self._pending, left.rows]), right.watermark_us)
        oldest_us = left.watermark_us
        if self._pending.num_rows:
            oldest_us = min(oldest_us, int(int64s(self._pending, TS).min()))
        self._passed(left.watermark_us, oldest_us, right.watermark_us)
        if self._projection is not None:
            out = self._projection.rows(out)
        self.account.drop(left.late, 0)
        self.account.drop(dropped, 1)
        # a row that waits comes at its own time, perhaps after rows at that time with later positions
        return Delta(out, oldest_us, many=left.many or self._pending.num_rows > 0)

    # -- the right side's rows --------------------------------------------------------------------------------------

    def _came(self, right: Delta) -> tuple[pa.Table, pa.Table | None]:
        """(new right rows, those that came too late to count)."""
        if not self.node.versions:
            return right.rows, right.late
        rows = _versions(right.rows)
        return (rows, None) if right.late is None else self._with_late(rows, right.late)

    def _with_late(self, rows: pa.Table, late: pa.Table) -> tuple[pa.Table, pa.Table]:
        """A version that comes late is in force from the watermark on, unless a newer one is by then.

        To drop it would keep the version before it in force for as long as the key does not change again.
        """
        kept, side = self._rows.some(self._of_use()), self._keys[1]
        parts = [(table, self._numbers.of_rows(table, side)) for table in (kept, rows)]
        codes = np.concatenate([numbers for _, numbers in parts])
        true, force = (np.concatenate([int64s(table, name) for table, _ in parts]) for name in (_TRUE, TS))
        taken, dropped = [rows], [late.slice(0, 0)]
        for number, code in enumerate(self._numbers.of_rows(late, side).tolist()):
            one = late.slice(number, 1)
            mark, us = int(int64s(one, WM)[0]), int(int64s(one, TS)[0])
            if ((codes == code) & (true > us) & (force <= mark)).any():
                dropped.append(one)
            else:
                taken.append(_versions(one, mark))
                codes, true, force = np.append(codes, code), np.append(true, us), np.append(force, mark)
        return concat(taken), concat(dropped)

    def _take_in(self) -> None:
        """Put the rows that came since somebody looked last where they are found."""
        if not self._fresh:
            return
        rows, before = concat(self._fresh), len(self._rows)
        self._fresh = []
        run = self._numbers.run(rows, self._keys[1], int64s(rows, TS)).keyed()
        run = by_position(run, [partial(int64s, rows, name) for name in self.node.inputs[1].pos])
        self._rows.append(rows)
        self._index.add(Run(run.rows + before, run.codes, run.times))

    def _numbers_of(self, name: str, rows: Int64s) -> Int64s:
        """A hidden column of right rows."""
        (column,) = self._rows.taken([self._places[name]], rows)
        return integers_in(column)

    def _positions(self, rows: Int64s) -> list[Int64s]:
        return [self._numbers_of(name, rows) for name in self.node.inputs[1].pos]

    def _deleted(self, rows: Int64s) -> Bools:
        (column,) = self._rows.taken([self._places[OP]], rows)
        return flags_in(pc.fill_null(pc.equal(column, "delete"), False))

    def _passed(self, left_us: int, oldest_us: int, right_us: int) -> None:
        """Forget the right rows that no left row still to come or to be answered needs."""
        offset_us = self.node.offset_us
        if self.node.forward:
            # a row that waits has no match before the right watermark, or it would not wait
            self._index.least_us = min(left_us + offset_us, right_us)
        elif oldest_us > WATERMARK_MIN_US:
            self._index.least_us = oldest_us + offset_us + (not self.node.strict)
        if sum(rows.num_rows for rows in self._fresh) > _FEW:
            self._take_in()
        if len(self._rows) > 2 * self._swept + _FEW:
            self._sweep()

    def _of_use(self) -> Int64s:
        """The right rows that are needed still, in the order they came."""
        self._take_in()
        rows, _ = self._index.entries()
        if self.node.versions and len(rows):
            # no row in force is as good as a deleted one
            ended = self._deleted(rows) & (self._numbers_of(TS, rows) < self._index.least_us)
            rows = rows[~ended]
        return np.sort(rows)

    def _sweep(self) -> None:
        used = self._of_use()
        numbers = np.full(len(self._rows), -1, dtype=np.int64)
        numbers[used] = np.arange(len(used))
        self._index.keep(numbers)
        self._rows.keep(used)
        self._swept = len(used)
        if len(self._numbers) > _UNUSED_KEYS + 2 * len(used):
            self._index.keep(codes=self._numbers.keep(np.unique(self._index.entries()[1])))

    # -- matching ---------------------------------------------------------------------------------------------------

    def _matched(self, left: pa.Table, watermark_us: int) -> tuple[pa.Table, pa.Table]:
        """(the output of the rows whose match is certain, the rows that wait)."""
        if not left.num_rows:
            return no_rows(self._own), left
        found = None
        if watermark_us >= WATERMARK_MAX_US:
            ready = np.ones(left.num_rows, dtype=np.bool_)
        elif self.node.forward:
            found = self._search(left)
            ready = found >= 0
            ready[ready] = self._numbers_of(TS, found[ready]) < watermark_us
        else:
            at = moved(int64s(left, TS), self.node.offset_us)
            ready = at <= watermark_us if self.node.strict else at < watermark_us
        left, pending = _split(left, ready)
        if not left.num_rows:
            return no_rows(self._own), pending
        found = self._search(left) if found is None else found[ready]
        return self._output(left, found), pending

    def _search(self, left: pa.Table) -> Int64s:
        """Per left row the number of its right row, -1 when there is none."""
        self._take_in()
        codes = self._numbers.of_rows(left, self._keys[0])
        at = moved(int64s(left, TS), self.node.offset_us)
        found = self._index.nearest(codes, at, forward=self.node.forward, strict=self.node.strict)
        if self.node.versions:
            there = np.flatnonzero(found >= 0)
            found[there[self._deleted(found[there])]] = -1
        return found

    def _output(self, left: pa.Table, rows: Int64s) -> pa.Table:
        hit = rows >= 0
        places = [self._places[c] for c, _ in self.node.right_columns]
        if hit.all():
            right = self._rows.taken(places, rows)
        elif self.node.outer:
            indices = vector(np.cumsum(hit) - 1, absent=~hit)
            right = [column.take(indices) for column in self._rows.taken(places, rows[hit])]
        else:
            left = left.filter(vector(hit))
            right = self._rows.taken(places, rows[hit])
        columns = [left.column(c) for c, _ in self.node.left_columns]
        columns += [*right, *(left.column(h) for h in hidden_of(self.node))]
        return pa.Table.from_arrays(columns, schema=self._own)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        node = self.node
        names = dict(node.left_columns), dict(node.right_columns)
        on = ", ".join(f"{names[0].get(a, a)} = {names[1].get(b, b)}" for a, b in node.equal) or "any key"
        kind = f"{'temporal' if node.versions else 'asof'} {'left join' if node.outer else 'join'}"
        near = (
            ("after" if node.forward else "before") if node.strict else f"at or {'after' if node.forward else 'before'}"
        )
        moved = f" the time moved by {node.offset_us / 1e6:g} s" if node.offset_us else " it"
        if node.forward:
            return f"{kind} on {on}: earliest {near}{moved}; keeps left rows until their right row is certain"
        return (
            f"{kind} on {on}: newest {near}{moved}; keeps the newest right row per key, and left rows until the "
            "right side reaches them"
        )

    def tables(self) -> dict[str, pa.Table]:
        return {"pending": self._pending, "right": self._rows.some(self._of_use())}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._pending = tables["pending"]
        self._clear()
        self._fresh = [tables["right"]]

    def state_size(self) -> tuple[int, int]:
        rows, held = len(self._of_use()), len(self._rows)
        each = self._rows.nbytes // held + 32 if held else 0
        return rows + self._pending.num_rows, rows * each + self._pending.nbytes + self._numbers.nbytes


def _split(rows: pa.Table, first: Bools) -> tuple[pa.Table, pa.Table]:
    """(these, the others)."""
    count = int(np.count_nonzero(first))
    if first[:count].all():  # as in rows that stand by time
        rest = rows.slice(count)
        many = rest.column(0).num_chunks > _CHUNKS
        return rows.slice(0, count), rest.combine_chunks() if many else rest
    return rows.filter(vector(first)), rows.filter(vector(~first)).combine_chunks()


def _versions(rows: pa.Table, in_force_us: int | None = None) -> pa.Table:
    """A table's records with their true times, in force from there on, or from `in_force_us` on."""
    true = rows.column(TS)
    rows = rows.drop_columns([WM]) if WM in rows.column_names else rows
    if in_force_us is not None:
        rows = rows.set_column(rows.schema.get_field_index(TS), TS, vector(np.array([in_force_us])))
    return rows.append_column(pa.field(_TRUE, pa.int64()), true)


def _common_type(left: pa.Field, right: pa.Field) -> pa.DataType:
    """The type in which two key columns are compared without loss; BindError when there is none."""
    found = common_type(left.type, right.type)
    if found is not None:
        return found
    nested = pa.types.is_nested(left.type) or pa.types.is_nested(right.type)
    what = "cannot compare" if nested else "compares"
    raise BindError(
        f"a join for the row in force {what} {left.name} ({left.type}) with {right.name} ({right.type})",
        hint="compare their parts, or CAST both to VARCHAR in ON"
        if nested
        else "give both the same type with CAST in ON",
    )
