"""OneRowJoin: a stream or changelog beside one row that changes, such as a total or an average."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, concat
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.engine.kept import AT, net, row_bytes
from velostream_nb.engine.node import Operator, shown
from velostream_nb.sql import plan
from velostream_nb.sql.plan_one_row import BEFORE

_THERE = "__there"
"""Whether there is a row at all: a feed of the row always holds one, of NULLs when there is none."""
_COMPACT_ROWS = 4_096
"""Rows that may come before the kept ones are merged, once some were taken back."""


class OneRowJoin(Operator):
    """Rows of the left side with their weights, and the one row of the right side.

    While that row stays, only new rows are looked at. When it changes, the kept rows are looked at once more: where
    the row only filters, those come out for which the condition turned; else all, as they are and as they were.
    """

    name = "one-row join"
    node: plan.OneRowJoin

    def __init__(self, node: plan.OneRowJoin, duck: Duck, account: Account, left: Operator, right: Operator) -> None:
        super().__init__(node, duck, account)
        self._left, self._right, self._bag = duck.feed(left.schema), duck.feed(right.schema), duck.feed(right.schema)
        """`_bag`: what the right side comes to: one row of weight 1, or none."""
        self._at = duck.feed(pa.schema([(AT, pa.int64())]))
        row = [pa.field(o, right.schema.field(c).type) for c, o in node.right_columns]
        self._now = duck.feed(pa.schema([*row, pa.field(_THERE, pa.bool_())]))
        self._was = duck.feed(pa.schema([pa.field(f.name + BEFORE, f.type) for f in self._now.schema]))
        renamed = _listed(f"{quote(c)} AS {quote(o)}" for c, o in node.left_columns)
        fresh = f"SELECT {renamed}{WEIGHT} FROM {self._left.name}"
        kept = f"SELECT *, (SELECT {AT} FROM {self._at.name}) AS {AT} FROM ({fresh})"
        self._state = duck.table(kept)
        self._joined = duck.prepare(self._image(f"({fresh})"))
        self._turned = duck.prepare(self._flips() if node.kind in ("semi", "anti") else self._images())
        self._keep = duck.prepare(f"INSERT INTO {self._state} {kept}")
        self._merged = duck.prepare(self._compact())
        union = f"SELECT * FROM {self._bag.name} UNION ALL SELECT * FROM {self._right.name}"
        self._change = duck.prepare(net(_listed(quote(c) for c, _ in node.right_columns).rstrip(", "), union))
        self.schema = duck.schema_of(self._joined.sql)
        self._rows = self._since = 0
        self._taken_back = False
        self._expired_us = WATERMARK_MIN_US

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _holds(self, *, before: bool = False) -> str:
        """SQL of: there is a row, and the condition is true of it."""
        there = quote(_THERE + BEFORE) if before else _THERE
        return f"(({there} AND ({self.node.before if before else self.node.condition})) IS TRUE)"

    def _image(self, rows: str, *, before: bool = False) -> str:
        """SQL of what comes out for some left rows; `before`: for the row as it was, taken back."""
        kind, holds = self.node.kind, self._holds(before=before)
        lefts = _listed(quote(o) for _, o in self.node.left_columns)
        weight = f"-{WEIGHT} AS {WEIGHT}" if before else WEIGHT
        end = BEFORE if before else ""
        source = f"FROM {rows} AS __l CROSS JOIN {(self._was if before else self._now).name}"
        if kind in ("semi", "anti"):
            return f"SELECT {lefts}{weight} {source} WHERE {holds if kind == 'semi' else f'NOT {holds}'}"
        rights = [quote(o + end) for _, o in self.node.right_columns]
        if kind == "left":
            rights = [f"CASE WHEN {holds} THEN {r} END" for r in rights]
        named = _listed(f"{r} AS {quote(o)}" for r, (_, o) in zip(rights, self.node.right_columns, strict=True))
        where = f" WHERE {holds}" if kind == "inner" else ""
        return f"SELECT {lefts}{named}{weight} {source}{where}"

    def _images(self) -> str:
        return f"{self._image(self._state)} UNION ALL {self._image(self._state, before=True)}"

    def _flips(self) -> str:
        """SQL of the kept rows for which the condition turned."""
        lefts = _listed(quote(o) for _, o in self.node.left_columns)
        holds, held = self._holds(), self._holds(before=True)
        comes = holds if self.node.kind == "semi" else held
        return (
            f"SELECT {lefts}CASE WHEN {comes} THEN {WEIGHT} ELSE -{WEIGHT} END AS {WEIGHT} FROM {self._state} "
            f"CROSS JOIN {self._now.name} CROSS JOIN {self._was.name} WHERE {holds} <> {held}"
        )

    def _compact(self) -> str:
        lefts = _listed(quote(o) for _, o in self.node.left_columns)
        by = f" GROUP BY {lefts.rstrip(', ')}" if lefts else ""
        sums = f"sum({WEIGHT})::BIGINT AS {WEIGHT}, max({AT}) AS {AT}"
        return f"SELECT {lefts}{sums} FROM {self._state}{by} HAVING sum({WEIGHT}) <> 0"

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        left, right = inputs
        at_us = max((d.watermark_us for d in inputs if d.watermark_us < WATERMARK_MAX_US), default=self._expired_us)
        bag, changed = self._bag.rows, False
        if right.rows.num_rows:
            self._right.rows = right.rows
            bag = self._change.rows()
            changed = not self._row(bag).equals(self._row(self._bag.rows))
        self._now.rows, self._was.rows = self._row(bag), self._named_before(self._row(self._bag.rows))
        self._left.rows = left.rows
        out = [no_rows(self.schema)]
        if changed and self._rows:
            out.append(self._turned.rows())
        if left.rows.num_rows:
            out.append(self._joined.rows())
        self._bag.rows = bag
        self._remember(left.rows, at_us)
        self._expire(at_us)
        return Delta(concat(out), min(d.watermark_us for d in inputs))

    def _row(self, bag: pa.Table) -> pa.Table:
        """The right side's row as the condition reads it: the last one that is there, or NULLs."""
        there = bag.filter(pc.greater(bag.column(WEIGHT), 0)) if bag.num_rows else bag
        row = there.slice(there.num_rows - 1).to_pylist()[0] if there.num_rows else {}
        values = {o: [row.get(c)] for c, o in self.node.right_columns} | {_THERE: [bool(row)]}
        return pa.table(values, schema=self._now.schema)

    def _named_before(self, row: pa.Table) -> pa.Table:
        return row.rename_columns(self._was.schema.names)

    def _remember(self, rows: pa.Table, at_us: int) -> None:
        if not rows.num_rows:
            return
        self._at.rows = pa.table({AT: vector(np.array([at_us]))})
        self._rows += self._keep.run()
        self._since += rows.num_rows
        self._taken_back |= pc.min(rows.column(WEIGHT)).as_py() < 0
        if self._taken_back and self._since > max(_COMPACT_ROWS, self._rows // 2):
            merged = self.duck.feed(pa.schema(self._merged.rows().schema))
            merged.rows = self._merged.rows()
            self.duck.run(f"DELETE FROM {self._state}")
            self._rows = self.duck.change(f"INSERT INTO {self._state} SELECT * FROM {merged.name}")
            self.duck.drop(merged)
            self._since, self._taken_back = 0, False

    def _expire(self, now_us: int) -> None:
        ttl = self.node.ttl_us
        if ttl is None or now_us - self._expired_us < max(1, ttl // 16):
            return
        self._rows -= self.duck.change(f"DELETE FROM {self._state} WHERE {AT} < {now_us - ttl}")
        self._expired_us = now_us

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        words = {"inner": "join", "left": "left join", "semi": "keep", "anti": "drop"}
        bound = f" for {self.node.ttl_us / 1e6:g} s" if self.node.ttl_us is not None else ""
        return f"{words[self.node.kind]} with one row where {shown(self.node.condition)}; keeps all rows{bound}"

    def tables(self) -> dict[str, pa.Table]:
        numbers = {"rows": [self._rows], "since": [self._since], "back": [self._taken_back], "us": [self._expired_us]}
        return {"row": self._bag.rows, "numbers": pa.table(numbers)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._bag.rows = tables["row"]
        row = tables["numbers"].to_pylist()[0]
        self._rows, self._since = row["rows"], row["since"]
        self._taken_back, self._expired_us = row["back"], row["us"]

    def native(self) -> dict[str, str]:
        return {"left": self._state}

    def state_size(self) -> tuple[int, int]:
        return self._rows, self._rows * row_bytes(self.schema)


def _listed(parts: Iterable[str]) -> str:
    """SQL of columns, each followed by a comma: more follow."""
    return "".join(f"{part}, " for part in parts)
