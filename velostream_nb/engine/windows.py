"""WindowAggregate: GROUP BY over event-time windows, from aggregate states kept in slices.

A slice is the greatest common divisor of the windows' size and slide, so hopping windows share their parts. Aggregates
whose state DuckDB cannot export (`mode`, `histogram`) keep their rows until the window closes instead.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from velostream_nb.core.errors import BindError, JobFailedError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import POS, TS
from velostream_nb.engine.delta import WM, Account, Delta, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, quote, quoted
from velostream_nb.engine.node import Operator, shown
from velostream_nb.sql import plan

_COMPACT_ROWS = 4_096
"""Partial states are merged when they are so many more than twice those that the last merge left."""


class WindowAggregate(Operator):
    """Emits a row per (window, key) once the watermark reaches the window's end; windows without rows give none.

    A late row still counts in those of its windows that end after its own partition's watermark at its arrival.
    """

    name = "window"
    node: plan.WindowAggregate

    def __init__(self, node: plan.WindowAggregate, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        window = node.window
        self._slice_us = math.gcd(window.size_us, window.slide_us)
        self._feed = duck.feed(upstream.schema.append(pa.field(WM, pa.int64())))
        self._keys = [name for _, name in node.keys]
        self._names = [name for _, name in node.aggregates]
        self.keeps_rows = not node.mergeable or not self._exports()
        self._partial = self._rows_sql(upstream) if self.keeps_rows else self._partial_sql()
        self._state = duck.table(self._partial)
        self._finals = [f"{call} AS {quote(name)}" for call, name in node.aggregates]
        if not self.keeps_rows:
            self._finals = [f"finalize(combine_aggr({quote(n)})) AS {quote(n)}" for n in self._names]
        self._insert = duck.prepare(f"INSERT INTO {self._state} {self._partial}")
        # kept rows are aggregated when their window closes: what cannot be computed must show when it comes
        calls = ", ".join(call for call, _ in node.aggregates)
        self._check = duck.prepare(f"SELECT {calls} FROM {self._feed.name} AS __in") if self.keeps_rows else None
        self._close = duck.prepare(self._close_sql())
        self._delete = duck.prepare(f"DELETE FROM {self._state} WHERE {self._last_end('__slice')} <= $1")
        self.schema = duck.schema_of(self._close_sql().replace("$1", "0").replace("$2", "0"))
        self.schema = self.schema.append(pa.field(TS, pa.int64())).append(pa.field(POS, pa.int64()))
        self._closed_us = WATERMARK_MIN_US
        self._emitted = 0
        self._rows = 0
        self._merged_rows = 0

    def _exports(self) -> bool:
        """Can DuckDB export the states of all the aggregates?"""
        try:
            self.duck.schema_of(self._partial_sql())
        except BindError as error:
            if "export" not in error.message.lower():
                raise
            return False
        return True

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _slice(self) -> str:
        g, offset = self._slice_us, self.node.window.offset_us
        return f"({TS} - ((({TS} - {offset}) % {g}) + {g}) % {g})"

    def _first_end(self, slice_: str) -> str:
        """The end of the earliest window that holds the slice."""
        w = self.node.window
        x = f"({slice_} + {self._slice_us})"
        return f"({x} + ((({w.offset_us} + {w.size_us} - {x}) % {w.slide_us}) + {w.slide_us}) % {w.slide_us})"

    def _last_end(self, slice_: str) -> str:
        """The end of the latest window that holds the slice: the last start at or before it, plus the size."""
        w = self.node.window
        return f"({slice_} - ((({slice_} - {w.offset_us}) % {w.slide_us}) + {w.slide_us}) % {w.slide_us} + {w.size_us})"

    def _key_items(self) -> str:
        return "".join(f"{e} AS {quote(n)}, " if e != quote(n) else f"{e}, " for e, n in self.node.keys)

    def _partial_sql(self) -> str:
        states = "".join(f"{call} EXPORT_STATE AS {quote(name)}, " for call, name in self.node.aggregates)
        return (
            f"SELECT {self._slice()} AS __slice, {WM} AS __after, {(self._key_items() + states)[:-2] or 'NULL'} "
            f"FROM {self._feed.name} AS __in GROUP BY ALL"
        )

    def _rows_sql(self, upstream: Operator) -> str:
        hidden = {TS, POS, WM}
        columns = [n for n in upstream.schema.names if n not in hidden and n not in self._keys]
        rest = "".join(f"{quote(c)}, " for c in columns)
        return (
            f"SELECT {self._slice()} AS __slice, {WM} AS __after, {self._key_items()}{rest}{TS} "
            f"FROM {self._feed.name} AS __in"
        )

    def _close_sql(self) -> str:
        """Rows of the windows that end in (closed, watermark]: parameters $1 and $2."""
        w = self.node.window
        first, last = self._first_end("__slice"), self._last_end("__slice")
        if w.size_us == w.slide_us:
            relation = f"(SELECT *, {last} AS __end FROM {self._state} WHERE {last} <= $2)"
        else:  # only the ends that close now: what has closed is on the grid of ends
            ends = f"range(greatest({first}, $1::BIGINT + {w.slide_us}), least({last}, $2::BIGINT) + 1, {w.slide_us})"
            relation = f"(SELECT *, unnest({ends}) AS __end FROM {self._state} WHERE {first} <= $2)"
        keys = quoted(self._keys) + ", " if self._keys else ""
        start = f"make_timestamp(__end - {w.size_us}) AS window_start, make_timestamp(__end) AS window_end"
        finals = "".join(f", {f}" for f in self._finals)
        return (
            f"SELECT {start}{''.join(f', {quote(k)}' for k in self._keys)}{finals} FROM {relation} "
            f"WHERE __end > $1 AND __end <= $2 AND __end > __after GROUP BY {keys}__end ORDER BY {keys}__end"
        )

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.rows.num_rows or delta.late is not None:
            self._add(delta)
        rows = self.schema.empty_table()
        edge = self._edge(delta.watermark_us)
        if edge > self._closed_us:
            rows = self._finish(edge)
        if self._rows > _COMPACT_ROWS + 2 * self._merged_rows and not self.keeps_rows:
            self._compact()
        return Delta(rows, delta.watermark_us)

    def _add(self, delta: Delta) -> None:
        parts = []
        dropped = 0
        if delta.rows.num_rows:
            always = np.full(delta.rows.num_rows, WATERMARK_MIN_US, dtype=np.int64)
            parts.append(delta.rows.append_column(WM, pa.array(always)))
        if delta.late is not None:
            admitted = self._admitted(delta.late)
            parts.append(admitted)
            dropped = delta.late.num_rows - admitted.num_rows
        self._feed.rows = concat(parts)
        if self._feed.rows.num_rows:
            if self._check is not None:
                self._check.rows()
            self._rows += self._insert.run()
        self.account.late += dropped  # last: a step that fails counts nothing

    def _admitted(self, late: pa.Table) -> pa.Table:
        """Late rows that one of their windows still takes, their watermark rounded down to a window's end."""
        w = self.node.window
        ts, wm = int64s(late, TS), int64s(late, WM)
        last_end = ts - (ts - w.offset_us) % w.slide_us + w.size_us
        floor = wm - (wm - w.offset_us - w.size_us) % w.slide_us
        index = late.schema.get_field_index(WM)
        return late.set_column(index, WM, pa.array(floor)).filter(pa.array(last_end > wm))

    def _edge(self, watermark_us: int) -> int:
        """The latest window end at or before the watermark."""
        if watermark_us in (WATERMARK_MIN_US, WATERMARK_MAX_US) or abs(watermark_us) >= WATERMARK_MAX_US:
            return watermark_us
        w = self.node.window
        return watermark_us - (watermark_us - w.offset_us - w.size_us) % w.slide_us

    def _finish(self, edge: int) -> pa.Table:
        try:
            out = self._close.rows(self._closed_us, edge)
        except EvaluationError as error:  # no row of this tick is at fault, so none can be set aside
            raise JobFailedError(f"a window could not be computed: {error.message}") from error
        self._rows -= self._delete.run(edge)
        self._merged_rows = min(self._merged_rows, self._rows)
        self._closed_us = edge
        ends = out.column("window_end").cast(pa.int64()).to_numpy()
        order = np.argsort(ends, kind="stable")
        out = out.take(pa.array(order))
        pos = np.arange(self._emitted, self._emitted + out.num_rows)
        self._emitted += out.num_rows
        return out.append_column(TS, pa.array(ends[order])).append_column(POS, pa.array(pos))

    def _compact(self) -> None:
        keys = quoted(["__slice", "__after", *self._keys])
        merged = "".join(f", combine_aggr({quote(n)}) AS {quote(n)}" for n in self._names)
        self.duck.run(f"CREATE OR REPLACE TEMP TABLE __merged AS SELECT {keys}{merged} FROM {self._state} GROUP BY ALL")
        self.duck.run(f"DELETE FROM {self._state}")
        self.duck.run(f"INSERT INTO {self._state} SELECT * FROM __merged")
        self.duck.run("DROP TABLE __merged")
        self._rows = self._merged_rows = int(self.duck.value(f"SELECT count(*) FROM {self._state}"))

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        w = self.node.window
        kind = f"tumble {w.size_us / 1e6:g} s"
        if w.slide_us != w.size_us:
            kind = f"hop {w.size_us / 1e6:g} s every {w.slide_us / 1e6:g} s, slices of {self._slice_us / 1e6:g} s"
        keys = ", ".join(shown(e) for e, _ in self.node.keys) or "()"
        calls = ", ".join(shown(c) for c, _ in self.node.aggregates) or "count(*)"
        held = "rows until their windows close" if self.keeps_rows else "one aggregate state per slice and key"
        return f"{kind} by {keys}: {calls}; keeps {held}"

    def tables(self) -> dict[str, pa.Table]:
        return {"window": pa.table({"closed_us": [self._closed_us], "emitted": [self._emitted], "rows": [self._rows]})}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["window"].to_pylist()[0]
        self._closed_us, self._emitted = row["closed_us"], row["emitted"]
        self._rows = row["rows"]

    def native(self) -> dict[str, str]:
        return {"slices": self._state}

    def state_size(self) -> tuple[int, int]:
        return self._rows, self._rows * 48 * (2 + len(self._keys) + len(self._names))
