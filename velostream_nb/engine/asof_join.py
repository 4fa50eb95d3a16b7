"""AsofJoin: each left row with the nearest right row on one side of its time, per key."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.errors import BindError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import OP, TS, no_rows
from velostream_nb.engine.arrays import whole
from velostream_nb.engine.bands import Run, Scale, by_position, later, merged, moved, run_of
from velostream_nb.engine.delta import WM, Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.join_keys import Numbers, common_type
from velostream_nb.engine.join_side import Arrived, Bools, Side
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.sql import plan

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

    def __init__(self, node: plan.AsofJoin, duck: Duck, account: Account, left: Operator, right: Operator) -> None:
        super().__init__(node, duck, account)
        hidden = hidden_of(node)
        left_fields = [left.schema.field(c).with_name(o) for c, o in node.left_columns]
        right_fields = [right.schema.field(c).with_name(o) for c, o in node.right_columns]
        self.schema = pa.schema([*left_fields, *right_fields, *(left.schema.field(h) for h in hidden)])
        self._keys = (tuple(a for a, _ in node.equal), tuple(b for _, b in node.equal))
        pairs = [(left.schema.field(a), right.schema.field(b)) for a, b in node.equal]
        self._numbers = Numbers([_common_type(*pair) for pair in pairs])
        self._pending = no_rows(left.schema)
        self._right = Side.empty(_versions(no_rows(right.schema)).schema if node.versions else right.schema)

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        waiting = concat([self._pending, left.rows])
        came, dropped = self._came(right)
        known = self._with(came)
        out, pending = self._matched(waiting, known, right.watermark_us)
        oldest = left.watermark_us
        if pending.num_rows:
            oldest = min(oldest, int(int64s(pending, TS).min()))
        self._right = self._kept(known, left.watermark_us, oldest, right.watermark_us)
        self._pending = pending
        self.account.drop(left.late, 0)
        self.account.drop(dropped, 1)
        # a row that waits comes at its own time, perhaps after rows at that time with later positions
        return Delta(out, oldest, many=left.many or pending.num_rows > 0)

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
        kept, side = self._right.in_use()[0], self._keys[1]
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

    def _with(self, rows: pa.Table) -> Side:
        """What is known of the right side: rows of before, and these, each by (key, time, position)."""
        if not rows.num_rows:
            return self._right
        run = run_of(*self._numbers.partitions(rows, self._keys[1]), int64s(rows, TS))
        if self.node.versions:
            run = replace(run, marks=(_are_deletes(rows.column(OP))[run.rows],))
        side = self._right.with_new(Arrived(rows, run), tracked=False)
        return Side(side.rows, side.found, side.old, self._by_position(side, side.new))

    def _by_position(self, side: Side, run: Run) -> Run:
        """The same rows with those of equal key and time by position."""
        return by_position(run, [partial(int64s, side.rows, name) for name in self.node.inputs[1].pos])

    def _kept(self, side: Side, left_us: int, oldest_us: int, right_us: int) -> Side:
        """The rows that are needed still."""
        if self.node.forward:
            # a row that waits has no match before the right watermark, or it would not wait
            least_us = min(left_us + self.node.offset_us, right_us)
            old, new = (run.only(run.times >= least_us) for run in (side.old, side.new))
        else:
            old, new = side.old, self._in_force(side.new, oldest_us)
        run = self._by_position(side, merged(old, new.keyed()))
        if not self.node.forward:
            run = self._in_force(run, oldest_us)
        if self.node.versions:
            run = self._alive(run, oldest_us)
        side = Side(side.rows, side.found, run, Run.none(run.marks)).swept()
        if len(self._numbers) > _UNUSED_KEYS + 2 * len(side):
            side = side.renumbered(self._numbers.keep(np.unique(side.old.codes)))
            side = replace(side, old=self._by_position(side, side.old))
        return side

    def _in_force(self, run: Run, oldest_us: int) -> Run:
        """All but what a newer row of its key, at or before the oldest left row to come, replaces."""
        if oldest_us <= WATERMARK_MIN_US or not len(run):
            return run
        keep = np.ones(len(run), dtype=np.bool_)
        keep[:-1] = (run.codes[1:] != run.codes[:-1]) | ~self._passed(run, oldest_us)[1:]
        return run.only(keep)

    def _alive(self, run: Run, oldest_us: int) -> Run:
        """No row in force is as good as a deleted one."""
        if oldest_us <= WATERMARK_MIN_US or not len(run):
            return run
        return run.only(~run.marks[0] | ~self._passed(run, oldest_us))

    def _passed(self, run: Run, oldest_us: int) -> Bools:
        """Right rows that any left row to come is late enough for."""
        until_us = oldest_us + self.node.offset_us
        found: Bools = run.times < until_us if self.node.strict else run.times <= until_us
        return found

    # -- matching ---------------------------------------------------------------------------------------------------

    def _matched(self, left: pa.Table, right: Side, watermark_us: int) -> tuple[pa.Table, pa.Table]:
        """(the output of the rows whose match is certain, the rows that wait)."""
        if not left.num_rows:
            return no_rows(self.schema), left
        found = None
        if watermark_us >= WATERMARK_MAX_US:
            ready = np.ones(left.num_rows, dtype=np.bool_)
        elif self.node.forward:
            found = self._search(left, right)
            ready = found >= 0
            ready[ready] = right.times(found[ready]) < watermark_us
        else:
            at = int64s(left, TS) + self.node.offset_us
            ready = at <= watermark_us if self.node.strict else at < watermark_us
        if not ready.any():
            return no_rows(self.schema), left
        pending = left.slice(0, 0)
        if not ready.all():
            pending = left.filter(pa.array(~ready)).combine_chunks()
            left = left.filter(pa.array(ready))
        found = self._search(left, right) if found is None else found[ready]
        return self._output(left, right, found), pending

    def _search(self, left: pa.Table, right: Side) -> Int64s:
        """Per left row the number of its right row, -1 when there is none."""
        old, new = right.old, right.new.keyed()
        if not len(old) and not len(new):
            return np.full(left.num_rows, -1, dtype=np.int64)
        codes = self._numbers.of_rows(left, self._keys[0])
        at = moved(int64s(left, TS), self.node.offset_us)
        scale = Scale([at, old.times, new.times], len(self._numbers))
        wanted = scale.fold_any(codes, at)
        first, second = (self._nearest(run, scale, codes, wanted) for run in (old, new))
        found = self._nearer(right, first, second)
        if self.node.versions:
            there = np.flatnonzero(found >= 0)
            ended = _are_deletes(right.rows.column(OP).take(pa.array(found[there])))
            found[there[ended]] = -1
        return found

    def _nearest(self, run: Run, scale: Scale, codes: Int64s, wanted: Int64s) -> Int64s:
        forward, strict = self.node.forward, self.node.strict
        found = np.full(len(codes), -1, dtype=np.int64)
        if not len(run):
            return found
        within = scale.fold(run.codes, run.times)
        places = np.searchsorted(within, wanted, side="right" if strict == forward else "left") - (not forward)
        there = np.flatnonzero((codes >= 0) & (places >= 0) & (places < len(run)))
        there = there[run.codes[places[there]] == codes[there]]
        found[there] = run.rows[places[there]]
        return found

    def _nearer(self, side: Side, rows: Int64s, others: Int64s) -> Int64s:
        """Of two right rows for each left row, an old and a new one, the one to take; -1 stands for none."""
        old, new = side.old.times, side.new.times
        if len(old) and len(new) and old.max() < new.min():
            return np.where(rows >= 0, rows, others) if self.node.forward else np.where(others >= 0, others, rows)
        found = np.where(rows >= 0, rows, others)
        both = np.flatnonzero((rows >= 0) & (others >= 0))
        if len(both):
            one, other = rows[both], others[both]
            columns = [int64s(side.rows, name) for name in (TS, *self.node.inputs[1].pos)]
            behind = later(columns, other, one)
            taken = ~behind if self.node.forward else behind
            found[both[taken]] = other[taken]
        return found

    def _output(self, left: pa.Table, right: Side, rows: Int64s) -> pa.Table:
        hit = rows >= 0
        if not self.node.outer and not hit.all():
            left, rows, hit = left.filter(pa.array(hit)), rows[hit], hit[hit]
        indices = pa.array(np.where(hit, rows, 0), mask=None if hit.all() else ~hit)
        columns = [left.column(c) for c, _ in self.node.left_columns]
        columns += [whole(right.rows.column(c)).take(indices) for c, _ in self.node.right_columns]
        columns += [left.column(h) for h in hidden_of(self.node)]
        return pa.table(columns, schema=self.schema)

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
        return {"pending": self._pending, "right": self._right.in_use()[0]}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._pending = tables["pending"]
        self._right = Side.empty(tables["right"].schema)
        self._right = self._with(tables["right"]).started()

    def state_size(self) -> tuple[int, int]:
        rows, size = self._right.size()
        return rows + self._pending.num_rows, size + self._pending.nbytes + self._numbers.nbytes


def _are_deletes(ops: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.equal(ops, "delete").to_numpy(), dtype=np.bool_)


def _versions(rows: pa.Table, in_force_us: int | None = None) -> pa.Table:
    """A table's records with their true times, in force from there on, or from `in_force_us` on."""
    true = rows.column(TS)
    rows = rows.drop_columns([WM]) if WM in rows.column_names else rows
    if in_force_us is not None:
        rows = rows.set_column(rows.schema.get_field_index(TS), TS, pa.array([in_force_us], pa.int64()))
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
