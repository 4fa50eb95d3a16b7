"""IntervalJoin and AsofJoin: rows of two inputs paired by key and event time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.errors import BindError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import TS
from velostream_nb.engine.delta import Account, Delta, Int64s, codes_of, concat, int64s
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.node import Operator, hidden_of, shown
from velostream_nb.sql import plan

_BUCKETED_PAIRS = 200_000
"""Above so many candidate pairs the time bound is turned into an equality of time buckets, which DuckDB hashes."""


def _renamed(schema: pa.Schema, columns: tuple[tuple[str, str], ...], hidden: tuple[str, ...]) -> pa.Schema:
    fields = [schema.field(c).with_name(o) for c, o in columns]
    return pa.schema([*fields, *(schema.field(h) for h in hidden)])


class IntervalJoin(Operator):
    """Pairs whose times differ by a bounded amount: new left × all right, old left × new right.

    Each side keeps the rows that a row still to come on the other side may reach. Late rows are dropped.
    """

    name = "interval join"
    node: plan.IntervalJoin

    def __init__(self, node: plan.IntervalJoin, duck: Duck, account: Account, left: Operator, right: Operator) -> None:
        super().__init__(node, duck, account)
        self._width_us = max(1, node.high_us - node.low_us)
        self._sides = (left.schema, right.schema)
        self._feeds = tuple(duck.feed(s) for s in (left.schema, left.schema, right.schema, right.schema))
        left_new, left_old, right_all, right_new = self._feeds
        plain, bucketed = (
            f"{self._pairs(left_new, right_all, buckets)} UNION ALL {self._pairs(left_old, right_new, buckets)}"
            for buckets in (False, True)
        )
        self.schema = duck.schema_of(plain)
        self._plain, self._bucketed = duck.prepare(plain), duck.prepare(bucketed)
        self._left, self._right = left.schema.empty_table(), right.schema.empty_table()

    def _pairs(self, left: Feed, right: Feed, bucketed: bool) -> str:
        node = self.node
        left_pos, right_pos = node.inputs[0].pos, node.inputs[1].pos
        own = [*(quote(o) for _, o in node.left_columns), *(quote(o) for _, o in node.right_columns)]
        positions = [f"__l.{quote(p)} AS {quote(o)}" for p, o in zip(left_pos, node.pos, strict=False)]
        behind = node.pos[len(left_pos) :]
        positions += [f"__r.{quote(p)} AS {quote(o)}" for p, o in zip(right_pos, behind, strict=True)]
        select = ", ".join([*own, f"greatest(__l.{TS}, __r.{TS}) AS {TS}", *positions])
        on = node.condition or "TRUE"
        left_sql, right_sql = self._side(left, node.left_columns), self._side(right, node.right_columns)
        if bucketed:
            first, last = self._bucket(f"{TS} - {node.high_us}"), self._bucket(f"{TS} - {node.low_us}")
            left_sql = f"(SELECT *, unnest(range({first}, {last} + 1)) AS __bucket FROM {left_sql})"
            right_sql = f"(SELECT *, {self._bucket(TS)} AS __bucket FROM {right_sql})"
            on += " AND __l.__bucket = __r.__bucket"
        return f"SELECT {select} FROM {left_sql} AS __l JOIN {right_sql} AS __r ON {on}"

    def _bucket(self, time: str) -> str:
        return f"(({time}) // {self._width_us})"

    def _side(self, feed: Feed, columns: tuple[tuple[str, str], ...]) -> str:
        renamed = "".join(f"{quote(c)} AS {quote(o)}, " for c, o in columns)
        rest = ", ".join(quote(n) for n in feed.schema.names[len(columns) :])
        return f"(SELECT {renamed}{rest} FROM {feed.name})"

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        watermark_us = min(left.watermark_us, right.watermark_us)
        out = self.schema.empty_table()
        if left.rows.num_rows or right.rows.num_rows:
            out = self._join(left.rows, right.rows)
        for side, delta in enumerate(inputs):
            self.account.drop(delta.late, side)
        self._left = _since(concat([self._left, left.rows]), right.watermark_us, self.node.low_us)
        self._right = _since(concat([self._right, right.rows]), left.watermark_us, -self.node.high_us)
        return Delta(out, watermark_us, many=True)

    def _join(self, left: pa.Table, right: pa.Table) -> pa.Table:
        left_new, left_old, right_all, right_new = self._feeds
        left_new.rows, left_old.rows, right_new.rows = left, self._left, right
        right_all.rows = concat([self._right, right])
        pairs = left.num_rows * right_all.rows.num_rows + self._left.num_rows * right.num_rows
        return (self._bucketed if pairs > _BUCKETED_PAIRS else self._plain).rows()

    def describe(self) -> str:
        low, high = self.node.low_us / 1e6, self.node.high_us / 1e6
        return (
            f"interval join on {shown(self.node.condition)}; keeps rows within {low:g} to {high:g} s of the watermark"
        )

    def tables(self) -> dict[str, pa.Table]:
        return {"left": self._left, "right": self._right}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._left, self._right = tables["left"], tables["right"]


def _since(rows: pa.Table, watermark_us: int, reach_us: int) -> pa.Table:
    """The rows that the other side may still reach: ``TS >= watermark + reach``."""
    if watermark_us <= WATERMARK_MIN_US or not rows.num_rows:
        return rows
    keep = int64s(rows, TS) >= watermark_us + reach_us
    return rows if keep.all() else rows.filter(pa.array(keep)).combine_chunks()


class AsofJoin(Operator):
    """The newest right row at or before each left row, per key.

    Left rows wait until the right side's watermark has passed them. The right side keeps the rows that a left row still
    to come may need: the newest per key at the left watermark, and all after it. The match is a binary search over
    (key, time) in numpy: no SQL expression is involved, and ties take the latest position as they should.
    """

    name = "asof join"
    node: plan.AsofJoin

    def __init__(self, node: plan.AsofJoin, duck: Duck, account: Account, left: Operator, right: Operator) -> None:
        super().__init__(node, duck, account)
        hidden = hidden_of(node)
        left_schema = _renamed(left.schema, node.left_columns, ())
        right_schema = _renamed(right.schema, node.right_columns, ())
        self.schema = pa.schema([*left_schema, *right_schema, *(left.schema.field(h) for h in hidden)])
        self._keys = (tuple(a for a, _ in node.equal), tuple(b for _, b in node.equal))
        for a, b in node.equal:
            _check_comparable(left.schema.field(a), right.schema.field(b))
        self._pending = left.schema.empty_table()
        self._right = right.schema.empty_table()

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        for side, delta in enumerate(inputs):
            self.account.drop(delta.late, side)
        waiting = concat([self._pending, left.rows])
        known = concat([self._right, right.rows])
        ready, self._pending = self._split(waiting, right.watermark_us)
        out = self._match(ready, known) if ready.num_rows else self.schema.empty_table()
        oldest = left.watermark_us
        if self._pending.num_rows:
            oldest = min(oldest, int(int64s(self._pending, TS).min()))
        self._right = self._prune(known, oldest)
        return Delta(out, min(left.watermark_us, right.watermark_us), many=left.many)

    def _split(self, waiting: pa.Table, watermark_us: int) -> tuple[pa.Table, pa.Table]:
        if not waiting.num_rows or watermark_us >= WATERMARK_MAX_US:
            return waiting, waiting.slice(0, 0)
        ts = int64s(waiting, TS)
        ready = ts <= watermark_us if self.node.strict else ts < watermark_us
        if ready.all():
            return waiting, waiting.slice(0, 0)
        if not ready.any():
            return waiting.slice(0, 0), waiting
        return waiting.filter(pa.array(ready)), waiting.filter(pa.array(~ready)).combine_chunks()

    def _codes(self, left: pa.Table, right: pa.Table) -> tuple[Int64s, Int64s]:
        """Key codes shared by both sides; NULL keys get -1 on the left and -2 on the right: they never match."""
        left_keys, right_keys = self._keys
        columns = {}
        for i, (a, b) in enumerate(zip(left_keys, right_keys, strict=True)):
            one, other = left.column(a), right.column(b)
            columns[f"k{i}"] = pa.chunked_array([*one.chunks, *other.cast(one.type).chunks], type=one.type)
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

    def _match(self, left: pa.Table, right: pa.Table) -> pa.Table:
        left_codes, right_codes = self._codes(left, right)
        order = self._order(right, right_codes)
        codes, times = right_codes[order], int64s(right, TS)[order]
        found = _search(codes, times, left_codes, int64s(left, TS), "left" if self.node.strict else "right")
        hit = found >= 0
        index = np.where(hit, order[found] if len(order) else 0, 0)
        if not self.node.outer:
            left, index, hit = left.filter(pa.array(hit)), index[hit], hit[hit]
        indices = pa.array(index, mask=~hit)
        columns = [left.column(c) for c, _ in self.node.left_columns]
        columns += [right.column(c).take(indices) for c, _ in self.node.right_columns]
        columns += [left.column(h) for h in hidden_of(self.node)]
        return pa.table(columns, schema=self.schema)

    def _prune(self, rows: pa.Table, oldest_us: int) -> pa.Table:
        """Without the rows that a newer one of the same key, at or before the oldest left row to come, replaces."""
        if not rows.num_rows or oldest_us <= WATERMARK_MIN_US:
            return rows
        codes = codes_of(rows, self._keys[1])
        order = self._order(rows, codes)
        ts = int64s(rows, TS)[order]
        edge = ts[1:] < oldest_us if self.node.strict else ts[1:] <= oldest_us
        replaced = (codes[order][1:] == codes[order][:-1]) & edge
        if not replaced.any():
            return rows
        keep = np.ones(rows.num_rows, dtype=np.bool_)
        keep[order[:-1][replaced]] = False
        return rows.filter(pa.array(keep)).combine_chunks()

    def describe(self) -> str:
        on = ", ".join(f"{a} = {b}" for a, b in self.node.equal) or "any key"
        kind = "asof left join" if self.node.outer else "asof join"
        return f"{kind} on {on}; keeps the newest right row per key, and left rows until the right side reaches them"

    def tables(self) -> dict[str, pa.Table]:
        return {"pending": self._pending, "right": self._right}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._pending, self._right = tables["pending"], tables["right"]


def _search(codes: Int64s, times: Int64s, wanted: Int64s, at: Int64s, side: str) -> Int64s:
    """Per wanted (code, time) the last index of that code before (or at) the time, -1 when there is none.

    `codes`, `times` are sorted by (code, time). Both are folded into one int64 so that one binary search does.
    """
    if not len(codes):
        return np.full(len(wanted), -1, dtype=np.int64)
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
    index = np.searchsorted(folded, target, side="left" if side == "left" else "right") - 1
    same = known & (index >= 0)
    same[same] = dense[index[same]] == place[same]
    return np.where(same, index, -1).astype(np.int64)


def _check_comparable(left: pa.Field, right: pa.Field) -> None:
    if left.type != right.type and not (pa.types.is_integer(left.type) and pa.types.is_integer(right.type)):
        raise BindError(
            f"ASOF JOIN compares {left.name} ({left.type}) with {right.name} ({right.type})",
            hint="give both columns the same type with CAST in a CTE",
        )
