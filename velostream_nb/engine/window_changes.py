"""WindowChanges and SessionChanges: windows as a changelog, emitted before they are final, or corrected after.

With EMIT CHANGES a window is emitted with its first row and whenever its values change; with 'late.data' = 'update' it
is emitted when it closes, and again when late rows change it. What was emitted is kept as long as it may change, so
that a window whose values are the same is not emitted again.
"""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import no_rows
from velostream_nb.engine.delta import Account, Delta
from velostream_nb.engine.duck import Duck, Feed, quote, quoted
from velostream_nb.engine.grids import is_finite
from velostream_nb.engine.kept import Kept, hash_of
from velostream_nb.engine.node import Operator
from velostream_nb.engine.partials import bytes_held, describe_groups
from velostream_nb.engine.sessions import Pieces
from velostream_nb.engine.slices import StoredSlices, admitted
from velostream_nb.sql import plan
from velostream_nb.sql.plan_changes import KEY

_ENDED = "epoch_us(window_end)"


class _Emitted:
    """What was emitted last of every window that may still change."""

    def __init__(self, duck: Duck, touched: Feed, answer: str) -> None:
        """`answer`: SQL of the values of what is in `touched`, its last column `KEY`."""
        self._kept = Kept(duck, answer, touched.name)
        self._difference = duck.prepare(self._kept.difference)
        self.schema = duck.schema_of(self._kept.difference)
        self.state = self._kept.state
        self.rows_held = 0
        self._forget = duck.prepare(f"DELETE FROM {self.state} WHERE {_ENDED} <= $1")

    def change(self) -> pa.Table:
        """What is new about the windows in `touched`."""
        self._kept.compute()
        out = self._difference.rows()
        self.rows_held += self._kept.keep()
        return out

    def forget(self, end_us: int) -> None:
        """Windows that end at or before a time change no more."""
        self.rows_held -= self._forget.run(end_us)


def _kept_until(watermark_us: int, keep_us: int) -> int:
    """The watermark of windows that are kept for longer; the end of the input ends that as well."""
    return watermark_us - keep_us if is_finite(watermark_us) else watermark_us


class WindowChanges(Operator):
    """Tumbling, hopping and cumulating windows as a changelog.

    Attributes:
        closed_us: windows up to this end are over.
    """

    name = "window changes"
    node: plan.WindowChanges

    def __init__(self, node: plan.WindowChanges, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.slices = slices = StoredSlices(node, duck, upstream)
        self.grid = slices.grid
        self.closed_us = WATERMARK_MIN_US
        self._fresh = duck.table(slices.partial)
        self._take = duck.prepare(f"INSERT INTO {self._fresh} {slices.partial}")
        self._keep = duck.prepare(f"INSERT INTO {slices.state} SELECT * FROM {self._fresh}")
        self._clear = duck.prepare(f"DELETE FROM {self._fresh}")
        # with grouping sets, rows of many keys meet in one: then a window is touched as a whole
        keys = [] if node.sets else list(slices.partials.keys)
        self._hash = hash_of(["__end", *map(quote, keys)])
        self._touch = duck.prepare(self._touched_sql())
        self._touched = duck.feed(pa.schema([(KEY, pa.uint64())]))
        self._emitted = _Emitted(duck, self._touched, self._answer_sql())
        self.schema = self._emitted.schema

    def _expanded(self, table: str, above: str, upto: str) -> str:
        """Slices of a table once per window they count in that ends in (above, upto]."""
        ends = self.grid.ends_sql("__slice", above, upto)
        slices = f"SELECT *, unnest({ends}) AS __end FROM {table} WHERE {self.grid.first_end_sql('__slice')} <= {upto}"
        return f"(SELECT * FROM ({slices}) WHERE __end > __after)"

    def _touched_sql(self) -> str:
        """The windows to look at: those of the tick's rows, and those that close; $1 and $2 bound what closes.

        Before a window closes it is emitted only when `early`.
        """
        every, closing = str(WATERMARK_MAX_US), "$2::BIGINT"
        fresh = self._expanded(self._fresh, str(WATERMARK_MIN_US), every if self.node.early else closing)
        found = f"SELECT {self._hash} AS {KEY} FROM {fresh}"
        if self.node.early:  # its values do not change when it closes
            return f"SELECT DISTINCT {KEY} FROM ({found}) WHERE $1::BIGINT <= $2::BIGINT"
        closes = f"SELECT {self._hash} AS {KEY} FROM {self._expanded(self.slices.state, '$1::BIGINT', closing)}"
        return f"SELECT DISTINCT {KEY} FROM ({found} UNION ALL {closes})"

    def _answer_sql(self) -> str:
        """The values of the touched windows."""
        slices = self._expanded(self.slices.state, str(WATERMARK_MIN_US), str(WATERMARK_MAX_US))
        mine = f"{KEY} IN (SELECT {KEY} FROM {self._touched.name})"
        relation = f"(SELECT * FROM (SELECT *, {self._hash} AS {KEY} FROM {slices}) WHERE {mine}) AS __in"
        columns = quoted(self.node.columns)
        return f"SELECT {columns}, {KEY} FROM ({self.slices.window_sql(relation, f', any_value({KEY}) AS {KEY}')})"

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        fresh = 0
        rows, after, dropped = admitted(self.grid, delta, self.node.keep_us)
        if rows.num_rows:
            self.slices.feed(rows, after)
            fresh = self._take.run()
        self.account.drop(dropped)  # after what may fail: a step that fails counts nothing
        edge = max(self.closed_us, self.grid.floor_us(delta.watermark_us))
        out = no_rows(self.schema)
        if fresh or edge > self.closed_us:
            out = self._change(edge)
        self.closed_us = edge
        kept = _kept_until(delta.watermark_us, self.node.keep_us)
        self.slices.forget(kept)
        self._emitted.forget(kept)
        self.slices.compact()
        return Delta(out, delta.watermark_us)

    def _change(self, edge: int) -> pa.Table:
        self.slices.rows_held += self._keep.run()
        touched = self._touch.rows(self.closed_us, edge)
        self._clear.run()
        if not touched.num_rows:
            return no_rows(self.schema)
        self._touched.rows = touched
        return self._emitted.change()

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"{self.grid.describe()} by {describe_groups(self.node)}; {_described(self.node)}"

    def tables(self) -> dict[str, pa.Table]:
        rows = {"closed_us": [self.closed_us], "rows": [self.slices.rows_held], "emitted": [self._emitted.rows_held]}
        return {"window": pa.table(rows)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["window"].to_pylist()[0]
        self.closed_us, self.slices.rows_held, self._emitted.rows_held = row["closed_us"], row["rows"], row["emitted"]

    def native(self) -> dict[str, str]:
        return {"slices": self.slices.state, "emitted": self._emitted.state}

    def state_size(self) -> tuple[int, int]:
        return self.slices.rows_held + self._emitted.rows_held, bytes_held(self.duck, [*self.native().values()])


class SessionChanges(Pieces):
    """Sessions as a changelog: one that grows, or joins another one, takes the place of what was emitted."""

    name = "session changes"
    node: plan.SessionChanges

    def __init__(self, node: plan.SessionChanges, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account, upstream)
        self._hash = hash_of([*map(quote, self.partials.keys)])
        self._fresh = duck.table(self._partial)
        self._take = duck.prepare(f"INSERT INTO {self._fresh} {self._partial}")
        self._keep = duck.prepare(f"INSERT INTO {self.state} SELECT * FROM {self._fresh}")
        self._clear = duck.prepare(f"DELETE FROM {self._fresh}")
        columns = quoted(node.columns)
        shown = "TRUE" if node.early else "__over"
        answer = f"SELECT {columns}, {self._hash} AS {KEY} FROM ({self.sessions_sql(shown)})"
        self._touched = duck.feed(pa.schema([(KEY, pa.uint64())]))
        self._emitted = _Emitted(duck, self._touched, answer)
        self.schema = self._emitted.schema
        self._touch = duck.prepare(self._touched_sql())
        mine = f"SELECT {KEY} FROM {self._touched.name}"
        pieces = f"SELECT rowid AS __row, * FROM {self.state} WHERE {self._hash} IN ({mine})"
        self._islands = duck.prepare(self.islands_sql(pieces, str(2 * WATERMARK_MAX_US - 1)))
        self._closed_us = WATERMARK_MIN_US

    def _touched_sql(self) -> str:
        """The keys to look at: those of the tick's rows and, unless early, those with a piece that ends in [$1, $2)."""
        fresh = f"SELECT {self._hash} AS {KEY} FROM {self._fresh}"
        if self.node.early:
            return f"SELECT DISTINCT {KEY} FROM ({fresh}) WHERE $1::BIGINT <= $2::BIGINT"
        end = f"__last + {self.node.gap_us}"
        ends = f"SELECT {self._hash} AS {KEY} FROM {self.state} WHERE {end} >= $1::BIGINT AND {end} < $2::BIGINT"
        return f"SELECT DISTINCT {KEY} FROM ({fresh} UNION ALL {ends})"

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        fresh = 0
        if delta.rows.num_rows or delta.late is not None:
            fresh = self.take_in(delta, self._take, self.node.keep_us)
        closed = max(self._closed_us, delta.watermark_us)
        out = no_rows(self.schema)
        if fresh or (closed > self._closed_us and not self.node.early):
            out = self._change(closed)
        self._closed_us = closed
        kept = _kept_until(delta.watermark_us, self.node.keep_us)
        if self.assign_ended(kept):
            self.settle()
            self._emitted.forget(kept - 1)
        self.compact(kept)
        return Delta(out, delta.watermark_us)

    def _change(self, closed: int) -> pa.Table:
        self.rows_held += self._keep.run()
        touched = self._touch.rows(self._closed_us, closed)
        self._clear.run()
        if not touched.num_rows:
            return no_rows(self.schema)
        self._touched.rows = touched
        self.assign(self._islands.rows(), closed)
        return self._emitted.change()

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        gap = f"session with a gap of {self.node.gap_us / 1e6:g} s"
        return f"{gap} by {describe_groups(self.node)}; {_described(self.node)}"

    def tables(self) -> dict[str, pa.Table]:
        rows = {"closed_us": [self._closed_us], "rows": [self.rows_held], "emitted": [self._emitted.rows_held]}
        return {"session": pa.table(rows)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["session"].to_pylist()[0]
        self._closed_us, self.rows_held, self._emitted.rows_held = row["closed_us"], row["rows"], row["emitted"]

    def native(self) -> dict[str, str]:
        return {"pieces": self.state, "emitted": self._emitted.state}

    def state_size(self) -> tuple[int, int]:
        return self.rows_held + self._emitted.rows_held, bytes_held(self.duck, [*self.native().values()])


def _described(node: plan.WindowChanges | plan.SessionChanges) -> str:
    when = "emitted as its values change" if node.early else "emitted when it closes"
    after = f", corrected for {node.keep_us / 1e6:g} s after its end" if node.keep_us else ""
    return f"{when}{after}; keeps the partial results and the last values of every window that may change"
