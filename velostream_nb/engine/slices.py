"""Slices in DuckDB: partial aggregates of any kind, by slice and key.

A slice is a piece of time that lies in the same windows, so hopping and cumulating windows share their parts.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import WM, Delta, Int64s, int64s
from velostream_nb.engine.duck import Duck, quoted
from velostream_nb.engine.grids import Grid, grid_of
from velostream_nb.engine.node import Operator
from velostream_nb.engine.partials import Partials, bytes_held
from velostream_nb.sql import plan

_COMPACT_ROWS = 4_096
"""Partial states are merged when they are so many more than twice those that the last merge left."""


class SliceStore(Protocol):
    """What a window keeps of its rows until it is over."""

    schema: pa.Schema
    """Of what `close` gives: the node's columns, then `TS`."""

    def take(self, rows: pa.Table, after: Int64s | None) -> None:
        """Take in rows; each counts in windows that end after a time (`after`), None: in all of its own.

        EvaluationError when one cannot be computed; then none is taken in.
        """

    def close(self, above_us: int, upto_us: int) -> pa.Table:
        """The windows that end in (above, upto], ordered by end and key."""

    def forget(self, end_us: int) -> None:
        """Drop the slices of which every window ends at or before a time."""

    def describe(self) -> str:
        """What is kept, for people."""

    def tables(self) -> dict[str, pa.Table]: ...

    def load_tables(self, tables: dict[str, pa.Table]) -> None: ...

    def native(self) -> dict[str, str]: ...

    def state_size(self) -> tuple[int, int]: ...


def admitted(grid: Grid, delta: Delta, keep_us: int = 0) -> tuple[pa.Table, Int64s | None, pa.Table | None]:
    """The tick's rows that some window still takes, after which end they count, and the late rows that none takes.

    A late row still counts in those of its windows that end after its own partition's watermark at its arrival.

    Args:
        keep_us: windows take rows for so long after their end.
    """
    late = delta.late
    if late is None:
        return delta.rows, None, None
    wm = int64s(late, WM) - keep_us
    open_ = grid.last_ends(int64s(late, TS)) > wm
    mask = vector(open_)
    # infinity is no time of a calendar, and no window is open then
    floors = grid.floors(np.where(open_, wm, 0))[open_]
    after = np.concatenate([np.full(delta.rows.num_rows, WATERMARK_MIN_US, dtype=np.int64), floors])
    taken = late.filter(mask).select(delta.rows.column_names)
    return pa.concat_tables([delta.rows, taken]), after, late.filter(vector(~open_))


class StoredSlices:
    """Partial results per slice, key, and the window end after which they count, in a native table.

    Attributes:
        state: the table.
        partial: SQL of the rows of the feed as rows of it.
        rows_held: how many rows it has.
    """

    def __init__(self, node: plan.WindowAggregate, duck: Duck, upstream: Operator) -> None:
        self.duck = duck
        self.node = node
        self.grid = grid_of(node.window)
        self.partials = Partials(duck, node, upstream)
        place = self.grid.slice_sql(TS)
        self.partial = self.partials.partial_sql([(place, "__slice"), (WM, "__after")], grouped=[place, WM])
        self.state = duck.table(self.partial)
        last = self.grid.last_end_sql("__slice")
        self._delete = duck.prepare(f"DELETE FROM {self.state} WHERE {last} <= $1")
        self.rows_held = 0
        self._merged_rows = 0

    def window_sql(self, relation: str, more: str = "") -> str:
        """Windows of a relation of slices with their ends as ``__end``: a row per window and set of keys."""
        place = f"make_timestamp({self.grid.start_sql('__end')}) AS window_start, make_timestamp(__end) AS window_end"
        return (
            f"SELECT {place}{self.partials.selected_sql()}{more} FROM {relation} {self.partials.grouped_sql('__end')}"
        )

    def feed(self, rows: pa.Table, after: Int64s | None) -> None:
        """Let the feed have a tick's rows; `after`: a row counts in windows that end later, None: in all of its own."""
        if after is None:
            after = np.full(rows.num_rows, WATERMARK_MIN_US, dtype=np.int64)
        self.partials.feed.rows = rows.append_column(WM, vector(after))
        self.partials.check()

    def forget(self, end_us: int) -> None:
        """Drop the slices of which every window ends at or before a time."""
        if self.rows_held:
            self.rows_held -= self._delete.run(end_us)
            self._merged_rows = min(self._merged_rows, self.rows_held)

    def compact(self) -> None:
        """Merge the states of equal slices and keys, now and then."""
        if self.partials.keeps_rows or self.rows_held <= _COMPACT_ROWS + 2 * self._merged_rows:
            return
        merged = f"SELECT __slice, __after{self.partials.keys_sql()}{self.partials.merged_sql()} FROM {self.state}"
        self.duck.run(f"CREATE OR REPLACE TEMP TABLE __merged AS {merged} GROUP BY ALL")
        self.duck.run(f"DELETE FROM {self.state}")
        self.duck.run(f"INSERT INTO {self.state} SELECT * FROM __merged")
        self.duck.run("DROP TABLE __merged")
        self.rows_held = self._merged_rows = int(self.duck.value(f"SELECT count(*) FROM {self.state}"))

    def describe(self) -> str:
        return "rows until their windows close" if self.partials.keeps_rows else "one aggregate state per slice and key"

    def native(self) -> dict[str, str]:
        return {"slices": self.state}

    def state_size(self) -> tuple[int, int]:
        return self.rows_held, bytes_held(self.duck, [self.state])


class ClosingSlices(StoredSlices):
    """The same, for windows that are given once, when they close."""

    def __init__(self, node: plan.WindowAggregate, duck: Duck, upstream: Operator) -> None:
        super().__init__(node, duck, upstream)
        self._insert = duck.prepare(f"INSERT INTO {self.state} {self.partial}")
        ends = self.grid.ends_sql("__slice", "$1::BIGINT", "$2::BIGINT")
        first = self.grid.first_end_sql("__slice")
        # only the ends that close now: what has closed is on the grid of ends
        closing = f"(SELECT *, unnest({ends}) AS __end FROM {self.state} WHERE {first} <= $2)"
        relation = f"(SELECT * FROM {closing} WHERE __end > __after) AS __in"
        order = f"__end{self.partials.keys_sql()}{f', {plan.GROUPING}' if node.sets else ''}"
        windows = f"{self.window_sql(relation, ', __end')} ORDER BY {order}"
        close = f"SELECT {quoted(node.columns)}, __end AS {TS} FROM ({windows})"
        self._close = duck.prepare(close)
        self.schema = duck.schema_of(close.replace("$1", "0").replace("$2", "0"))

    def take(self, rows: pa.Table, after: Int64s | None) -> None:
        self.feed(rows, after)
        self.rows_held += self._insert.run()
        self.compact()

    def close(self, above_us: int, upto_us: int) -> pa.Table:
        return self._close.rows(above_us, upto_us) if self.rows_held else no_rows(self.schema)

    def tables(self) -> dict[str, pa.Table]:
        return {"slices_held": pa.table({"rows": [self.rows_held]})}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self.rows_held = tables["slices_held"].column("rows")[0].as_py()
