"""AsofJoin: each left row with the nearest right row on one side of its time, per key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.errors import BindError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import OP, TS, no_rows
from velostream_nb.engine.delta import WM, Account, Delta, Int64s, codes_of, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.sql import plan

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
        self._types = [_common_type(*pair) for pair in pairs]
        self._pending = no_rows(left.schema)
        self._right = _versions(no_rows(right.schema)) if node.versions else no_rows(right.schema)

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        waiting = concat([self._pending, left.rows])
        known, dropped = self._known(right)
        out, self._pending = self._matched(waiting, known, right.watermark_us)
        oldest = left.watermark_us
        if self._pending.num_rows:
            oldest = min(oldest, int(int64s(self._pending, TS).min()))
        self._right = self._still_needed(known, left.watermark_us, oldest, right.watermark_us)
        self.account.drop(left.late, 0)
        self.account.drop(dropped, 1)
        # a row that waits comes at its own time, perhaps after rows at that time with later positions
        return Delta(out, oldest, many=left.many or self._pending.num_rows > 0)

    def _known(self, right: Delta) -> tuple[pa.Table, pa.Table | None]:
        """(right rows, those that came too late to count)."""
        if not self.node.versions:
            return concat([self._right, right.rows]), right.late
        rows = concat([self._right, _versions(right.rows)])
        if right.late is None:
            return rows, None
        return self._with_late(rows, right.late)

    def _with_late(self, rows: pa.Table, late: pa.Table) -> tuple[pa.Table, pa.Table]:
        """A version that comes late is in force from the watermark on, unless a newer one is by then.

        To drop it would keep the version before it in force for as long as the key does not change again.
        """
        dropped = late.slice(0, 0)
        for number in range(late.num_rows):
            one = late.slice(number, 1)
            mark, true = int(int64s(one, WM)[0]), int(int64s(one, TS)[0])
            codes = codes_of(concat([rows, _versions(one, mark)]), self._keys[1])
            same = codes[:-1] == codes[-1]
            newer = same & (int64s(rows, _TRUE) > true) & (int64s(rows, TS) <= mark)
            if newer.any():
                dropped = concat([dropped, one])
            else:
                rows = concat([rows, _versions(one, mark)])
        return rows, dropped

    # -- matching ---------------------------------------------------------------------------------------------------

    def _matched(self, left: pa.Table, right: pa.Table, watermark_us: int) -> tuple[pa.Table, pa.Table]:
        """(the output of the rows whose match is certain, the rows that wait)."""
        if not left.num_rows:
            return no_rows(self.schema), left
        if self.node.forward:
            found = self._search(left, right)
            ready = self._certain(found, right, watermark_us)
        else:
            at = int64s(left, TS) + self.node.offset_us
            ready = at <= watermark_us if self.node.strict else at < watermark_us
        if watermark_us >= WATERMARK_MAX_US:
            ready = np.ones(left.num_rows, dtype=np.bool_)
        if not ready.any():
            return no_rows(self.schema), left
        pending = left.slice(0, 0)
        if not ready.all():
            pending = left.filter(pa.array(~ready)).combine_chunks()
            left = left.filter(pa.array(ready))
        index = found[ready] if self.node.forward else self._search(left, right)
        return self._output(left, right, index), pending

    def _certain(self, found: Int64s, right: pa.Table, watermark_us: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if not right.num_rows:
            return np.zeros(len(found), dtype=np.bool_)
        times = int64s(right, TS)[np.maximum(found, 0)]
        return (found >= 0) & (times < watermark_us)

    def _search(self, left: pa.Table, right: pa.Table) -> Int64s:
        """Per left row the index of its right row, -1 when there is none."""
        if not right.num_rows:
            return np.full(left.num_rows, -1, dtype=np.int64)
        left_codes, right_codes = self._codes(left, right)
        order = self._order(right, right_codes)
        codes, times = right_codes[order], int64s(right, TS)[order]
        at = int64s(left, TS) + self.node.offset_us
        found = _nearest(codes, times, left_codes, at, strict=self.node.strict, forward=self.node.forward)
        found = np.where(found >= 0, order[found], -1)
        if self.node.versions:
            ended = np.asarray(pc.equal(right.column(OP), "delete").to_numpy(), dtype=np.bool_)
            found = np.where((found >= 0) & ~ended[found], found, -1)
        return found

    def _codes(self, left: pa.Table, right: pa.Table) -> tuple[Int64s, Int64s]:
        """Key codes shared by both sides; NULL keys get -1 on the left and -2 on the right: they never match."""
        columns = {}
        for i, (a, b) in enumerate(self.node.equal):
            kind = self._types[i]
            one, other = _exact(left.column(a), kind), _exact(right.column(b), kind)
            columns[f"k{i}"] = pa.chunked_array([*one.chunks, *other.chunks], type=kind)
        if not columns:
            return np.zeros(left.num_rows, np.int64), np.zeros(right.num_rows, np.int64)
        both = pa.table(columns)
        codes = codes_of(both, tuple(columns))
        null = np.zeros(len(codes), dtype=np.bool_)
        for name in columns:
            if both.column(name).null_count:
                null |= np.asarray(both.column(name).is_null().to_numpy(), dtype=np.bool_)
        own, other_codes = codes[: left.num_rows], codes[left.num_rows :]
        return np.where(null[: left.num_rows], -1, own), np.where(null[left.num_rows :], -2, other_codes)

    def _order(self, rows: pa.Table, codes: Int64s) -> Int64s:
        keys = [int64s(rows, name) for name in (TS, *self.node.inputs[1].pos)]
        return np.lexsort((*keys[::-1], codes))

    def _output(self, left: pa.Table, right: pa.Table, index: Int64s) -> pa.Table:
        hit = index >= 0
        if not self.node.outer:
            left, index, hit = left.filter(pa.array(hit)), index[hit], hit[hit]
        indices = pa.array(np.where(hit, index, 0), mask=~hit)
        columns = [left.column(c) for c, _ in self.node.left_columns]
        columns += [right.column(c).take(indices) for c, _ in self.node.right_columns]
        columns += [left.column(h) for h in hidden_of(self.node)]
        return pa.table(columns, schema=self.schema)

    # -- what the right side keeps ------------------------------------------------------------------------------------

    def _still_needed(self, rows: pa.Table, left_us: int, oldest_us: int, right_us: int) -> pa.Table:
        offset = self.node.offset_us
        if not rows.num_rows:
            return rows
        if self.node.forward:
            # a row that waits has no match before the right watermark, or it would not wait
            keep = int64s(rows, TS) >= min(left_us + offset, right_us)
        elif oldest_us <= WATERMARK_MIN_US:
            return rows
        else:
            keep = self._in_force(rows, oldest_us + offset)
        return rows if keep.all() else rows.filter(pa.array(keep)).combine_chunks()

    def _in_force(self, rows: pa.Table, oldest_us: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """All but what a newer row of its key, at or before the oldest left row to come, replaces."""
        codes = codes_of(rows, self._keys[1])
        order = self._order(rows, codes)
        ts = int64s(rows, TS)[order]
        passed = ts < oldest_us if self.node.strict else ts <= oldest_us
        replaced = np.zeros(len(order), dtype=np.bool_)
        replaced[:-1] = (codes[order][1:] == codes[order][:-1]) & passed[1:]
        if self.node.versions:  # no row in force is as good as a deleted one
            ended = np.asarray(pc.equal(rows.column(OP), "delete").to_numpy(), dtype=np.bool_)[order]
            replaced |= ended & passed
        keep = np.ones(rows.num_rows, dtype=np.bool_)
        keep[order[replaced]] = False
        return keep

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
        return {"pending": self._pending, "right": self._right}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._pending, self._right = tables["pending"], tables["right"]


def _versions(rows: pa.Table, in_force_us: int | None = None) -> pa.Table:
    """A table's records with their true times, in force from there on, or from `in_force_us` on."""
    true = rows.column(TS)
    rows = rows.drop_columns([WM]) if WM in rows.column_names else rows
    if in_force_us is not None:
        rows = rows.set_column(rows.schema.get_field_index(TS), TS, pa.array([in_force_us], pa.int64()))
    return rows.append_column(pa.field(_TRUE, pa.int64()), true)


def _nearest(codes: Int64s, times: Int64s, wanted: Int64s, at: Int64s, *, strict: bool, forward: bool) -> Int64s:
    """Per wanted (code, time) the last index of that code at or before the time (`forward`: the first at or after it).

    -1 when there is none. `codes`, `times` are sorted by (code, time), and are folded into one int64 so that one binary
    search does.
    """
    ranks, dense = np.unique(codes, return_inverse=True)
    place = np.searchsorted(ranks, wanted)
    known = (place < len(ranks)) & (ranks[np.minimum(place, len(ranks) - 1)] == wanted)
    base = min(int(times.min()), int(at.min()))
    span = max(int(times.max()), int(at.max())) - base + 2
    if span > (1 << 62) // (len(ranks) + 1):  # times too far apart to fold: their ranks do as well
        distinct = np.unique(np.r_[times, at])
        times, at = np.searchsorted(distinct, times), np.searchsorted(distinct, at)
        base, span = 0, len(distinct) + 1
    folded = dense.astype(np.int64) * span + (times - base)
    target = place.astype(np.int64) * span + (at - base)
    after = np.searchsorted(folded, target, side="right" if strict == forward else "left")
    index = after if forward else after - 1
    same = known & (index >= 0) & (index < len(codes))
    same[same] = dense[index[same]] == place[same]
    return np.where(same, index, -1).astype(np.int64)


def _exact(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The column as the type in which both sides are compared; -0.0 is 0.0."""
    column = column.cast(kind)
    return pc.add(column, pa.scalar(0.0, kind)) if pa.types.is_floating(kind) else column


def _common_type(left: pa.Field, right: pa.Field) -> pa.DataType:
    """The type in which two key columns are compared without loss; BindError when there is none."""
    one, other = left.type, right.type
    if pa.types.is_nested(one) or pa.types.is_nested(other):
        raise BindError(
            f"a join for the row in force cannot compare {left.name} ({one}) with {right.name} ({other})",
            hint="compare their parts, or CAST both to VARCHAR in ON",
        )
    if one == other:
        return one
    if all(pa.types.is_integer(t) for t in (one, other)):
        unsigned = any(pa.types.is_uint64(t) for t in (one, other))
        return pa.decimal128(38, 0) if unsigned else pa.int64()
    if all(pa.types.is_integer(t) or pa.types.is_decimal(t) for t in (one, other)):  # a sum of integers is HUGEINT
        return pa.decimal128(38, max(t.scale for t in (one, other) if pa.types.is_decimal(t)))
    raise BindError(
        f"a join for the row in force compares {left.name} ({one}) with {right.name} ({other})",
        hint="give both the same type with CAST in ON",
    )
