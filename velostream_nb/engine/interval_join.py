"""IntervalJoin: rows of two inputs whose event times differ by a bounded amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.engine.delta import Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, Feed, Statement, quote
from velostream_nb.engine.node import Operator, hidden_of, shown
from velostream_nb.sql import plan

_BUCKETED_PAIRS = 200_000
"""Above so many candidate pairs the time bound is turned into an equality of time buckets, which DuckDB hashes."""

_ROW = "__row"
"""Hidden column of the feeds of joins that ask whether a row has a match: its number, old rows before new ones."""

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

Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Side:
    """The rows of one input that a row still to come on the other may reach.

    Attributes:
        tracked: whether rows have had a match matters; `matched` says so, and is empty otherwise.
    """

    rows: pa.Table
    tracked: bool
    matched: Bools

    def with_new(self, rows: pa.Table) -> _Side:
        fresh = np.zeros(rows.num_rows if self.tracked else 0, dtype=np.bool_)
        return _Side(concat([self.rows, rows]), self.tracked, np.r_[self.matched, fresh])

    def split(self, keep: Bools) -> tuple[_Side, pa.Table]:
        """(the rows to keep, the others that have had no match)."""
        gone = self.rows.slice(0, 0)
        if keep.all():
            return self, gone
        if self.tracked:
            gone = self.rows.filter(pa.array(~keep & ~self.matched))
        matched = self.matched[keep] if self.tracked else self.matched
        return _Side(self.rows.filter(pa.array(keep)).combine_chunks(), self.tracked, matched), gone

    def oldest_unmatched_us(self) -> int | None:
        waiting = int64s(self.rows, TS)[~self.matched] if self.tracked else np.empty(0, dtype=np.int64)
        return int(waiting.min()) if len(waiting) else None


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
        self._width_us = max(1, node.high_us - node.low_us)
        tracked = _KEEPS.get(node.kind, (False, False))
        self._numbered = any(tracked)
        self._whole_rows = node.kind not in ("semi", "anti")
        row = [pa.field(_ROW, pa.int64())] if self._numbered else []
        schemas = [pa.schema([*upstream.schema, *row]) for upstream in (left, right)]
        self._feeds = tuple(duck.feed(schemas[side]) for side in (0, 0, 1, 1))
        self._statements = self._prepared()
        self.schema = self._output_schema(left.schema)
        nothing = np.zeros(0, dtype=np.bool_)
        self._left = _Side(no_rows(left.schema), tracked[0], nothing)
        self._right = _Side(no_rows(right.schema), tracked[1], nothing)

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _prepared(self) -> tuple[Statement, Statement]:
        left_new, left_old, right_all, right_new = self._feeds
        plain, bucketed = (
            f"{self._pairs(left_new, right_all, buckets)} UNION ALL {self._pairs(left_old, right_new, buckets)}"
            for buckets in (False, True)
        )
        return self.duck.prepare(plain), self.duck.prepare(bucketed)

    def _pairs(self, left: Feed, right: Feed, bucketed: bool) -> str:
        node = self.node
        on = node.condition or "TRUE"
        left_sql, right_sql = self._side(left, node.left_columns), self._side(right, node.right_columns)
        if bucketed:
            first, last = self._bucket(f"{TS} - {node.high_us}"), self._bucket(f"{TS} - {node.low_us}")
            left_sql = f"(SELECT *, unnest(range({first}, {last} + 1)) AS __bucket FROM {left_sql})"
            right_sql = f"(SELECT *, {self._bucket(TS)} AS __bucket FROM {right_sql})"
            on += " AND __l.__bucket = __r.__bucket"
        word = "JOIN" if self._whole_rows else "SEMI JOIN"
        return f"SELECT {self._selected()} FROM {left_sql} AS __l {word} {right_sql} AS __r ON {on}"

    def _selected(self) -> str:
        node = self.node
        if not self._whole_rows:
            return f"__l.{_ROW}"
        left_pos, right_pos = node.inputs[0].pos, node.inputs[1].pos
        own = [*(quote(o) for _, o in node.left_columns), *(quote(o) for _, o in node.right_columns)]
        positions = [f"__l.{quote(p)} AS {quote(o)}" for p, o in zip(left_pos, node.pos, strict=False)]
        behind = node.pos[len(left_pos) :]
        positions += [f"__r.{quote(p)} AS {quote(o)}" for p, o in zip(right_pos, behind, strict=True)]
        rows = [f"__l.{_ROW} AS __lrow", f"__r.{_ROW} AS __rrow"] if self._numbered else []
        return ", ".join([*own, f"greatest(__l.{TS}, __r.{TS}) AS {TS}", *positions, *rows])

    def _bucket(self, time: str) -> str:
        return f"(({time}) // {self._width_us})"

    def _side(self, feed: Feed, columns: tuple[tuple[str, str], ...]) -> str:
        renamed = "".join(f"{quote(c)} AS {quote(o)}, " for c, o in columns)
        own = {c for c, _ in columns}
        rest = ", ".join(quote(n) for n in feed.schema.names if n not in own)
        return f"(SELECT {renamed}{rest} FROM {feed.name})"

    def _output_schema(self, left: pa.Schema) -> pa.Schema:
        if not self._whole_rows:
            fields = [left.field(c).with_name(o) for c, o in self.node.left_columns]
            return pa.schema([*fields, *(left.field(h) for h in hidden_of(self.node))])
        found = self.duck.schema_of(self._statements[0].sql)
        return pa.schema(list(found)[:-2]) if self._numbered else found

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        new = inputs[0].rows, inputs[1].rows
        left, right = self._left.with_new(new[0]), self._right.with_new(new[1])
        parts = [self._joined(left, right, new)] if new[0].num_rows or new[1].num_rows else []
        node = self.node
        watermarks = inputs[0].watermark_us, inputs[1].watermark_us
        keep = _within(left.rows, watermarks[1], node.low_us)
        if not self._whole_rows:  # one match is enough: nothing is left to find out
            keep &= ~left.matched
        left, lone_left = left.split(keep)
        right, lone_right = right.split(_within(right.rows, watermarks[0], -node.high_us))
        if node.kind != "semi" and lone_left.num_rows:
            parts.append(self._alone(lone_left, 0))
        if lone_right.num_rows:
            parts.append(self._alone(lone_right, 1))
        self._left, self._right = left, right
        for side, delta in enumerate(inputs):
            self.account.drop(delta.late, side)
        return Delta(concat([no_rows(self.schema), *parts]), self._watermark(watermarks), many=True)

    def _watermark(self, watermarks: tuple[int, int]) -> int:
        """Pairs to come are at both watermarks or after them; rows that wait for a match may come at their own time."""
        waiting = [us for side in (self._left, self._right) if (us := side.oldest_unmatched_us()) is not None]
        return min(*(watermarks if self._whole_rows else watermarks[:1]), *waiting, watermarks[0])

    def _joined(self, left: _Side, right: _Side, new: tuple[pa.Table, pa.Table]) -> pa.Table:
        """The pairs that a new row makes; marks both sides' rows as matched. SEMI: the left rows matched first now."""
        old = left.rows.num_rows - new[0].num_rows, right.rows.num_rows - new[1].num_rows
        tables = (new[0], self._left.rows, right.rows, new[1])
        starts = (old[0], 0, 0, old[1])
        for feed, table, start in zip(self._feeds, tables, starts, strict=True):
            feed.rows = _numbered(table, start) if self._numbered else table
        pairs = new[0].num_rows * right.rows.num_rows + old[0] * new[1].num_rows
        found = self._statements[pairs > _BUCKETED_PAIRS].rows()
        if not self._numbered:
            return found
        if not self._whole_rows:
            before = left.matched.copy()
            left.matched[int64s(found, _ROW)] = True
            fresh = left.rows.filter(pa.array(left.matched & ~before))
            return self._alone(fresh, 0) if self.node.kind == "semi" else no_rows(self.schema)
        for side, name in ((left, "__lrow"), (right, "__rrow")):
            if side.tracked:
                side.matched[int64s(found, name)] = True
        return found.drop_columns(["__lrow", "__rrow"])

    def _alone(self, rows: pa.Table, side: int) -> pa.Table:
        """Rows of one side as output: NULLs for the other side's columns, -1 for its positions."""
        node = self.node
        columns = node.left_columns if side == 0 else node.right_columns
        own = {o: c for c, o in columns} | {TS: TS}
        before = len(node.inputs[0].pos)
        own |= dict(zip(node.pos[:before] if side == 0 else node.pos[before:], node.inputs[side].pos, strict=True))
        arrays = []
        for field in self.schema:
            if field.name in own:
                arrays.append(rows.column(own[field.name]).cast(field.type))
            elif field.name in node.pos:
                arrays.append(pa.array(np.full(rows.num_rows, -1, dtype=np.int64)))
            else:
                arrays.append(pa.nulls(rows.num_rows, field.type))
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
        for name, side in (("left", self._left), ("right", self._right)):
            found[name] = side.rows.append_column(_MATCHED, pa.array(side.matched)) if side.tracked else side.rows
        return found

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        for side, table in ((self._left, tables["left"]), (self._right, tables["right"])):
            if side.tracked:
                side.matched = np.array(table.column(_MATCHED).to_numpy(), dtype=np.bool_)
                table = table.drop_columns([_MATCHED])
            side.rows = table


def _past(us: int) -> str:
    return "past" if us == 0 else f"{us / 1e6:g} s past" if us > 0 else f"{-us / 1e6:g} s before"


def _numbered(rows: pa.Table, start: int) -> pa.Table:
    return rows.append_column(_ROW, pa.array(np.arange(start, start + rows.num_rows, dtype=np.int64)))


def _within(rows: pa.Table, watermark_us: int, reach_us: int) -> Bools:
    """The rows that the other side may still reach: ``TS >= watermark + reach``."""
    if watermark_us <= WATERMARK_MIN_US or not rows.num_rows:
        return np.ones(rows.num_rows, dtype=np.bool_)
    return int64s(rows, TS) >= watermark_us + reach_us
