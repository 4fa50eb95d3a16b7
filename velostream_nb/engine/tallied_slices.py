"""Slices as tallies: what each slice and key comes to, in numpy; what is given when windows close is Arrow.

A *pane* is a slice together with the window end after which it counts (`after`), which is -infinity but for late rows.
A group is a pane and a key.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, no_rows
from velostream_nb.core.types import TIMESTAMP
from velostream_nb.core.vectors import numbers_in, vector
from velostream_nb.engine.arguments import Arguments
from velostream_nb.engine.arrays import array_of, ranges
from velostream_nb.engine.codes import narrow
from velostream_nb.engine.delta import Int64s, concat, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Values
from velostream_nb.engine.grids import Grid
from velostream_nb.engine.key_numbering import KeyNumbering
from velostream_nb.engine.node import Operator
from velostream_nb.engine.numbering import PairNumbering, first_places, parts_of
from velostream_nb.engine.tallied import Tallied, compiled
from velostream_nb.sql import plan

_FEW = 1_024
"""So many groups, or keys, that are over are not worth a sweep."""
_MANY = 2_048
"""Rows are added up when they are so many, or when a window closes: few rows cost as much as a thousand."""
_MANY_TICKS = 256
"""The same for ticks: rows that wait may hold on to the batches that they are slices of."""


def tallied_slices(node: plan.WindowAggregate, grid: Grid, duck: Duck, upstream: Operator) -> TalliedSlices | None:
    """The slices of a window as tallies; None when some aggregate or key needs DuckDB itself."""
    if node.sets or node.groupings:
        return None
    feed = duck.feed(upstream.schema)
    found = compiled(duck, feed, node.keys, node.aggregates, node.tallies)
    if found is None:
        duck.drop(feed)
        return None
    return TalliedSlices(node, grid, *found)


class TalliedSlices:
    """See `slices.SliceStore`."""

    def __init__(
        self, node: plan.WindowAggregate, grid: Grid, arguments: Arguments, keys: KeyNumbering, tallied: Tallied
    ) -> None:
        self._grid = grid
        self._arguments = arguments
        self._key_expressions = [e for e, _ in node.keys]
        self._keys = keys
        self._tallied = tallied
        types = [TIMESTAMP, TIMESTAMP, *(arguments.types[e] for e in self._key_expressions), *tallied.types]
        names = [*node.columns, TS]
        self.schema = pa.schema(list(zip(names, [*types, pa.int64()], strict=True)))
        self._over_us = WATERMARK_MIN_US
        self._waiting: list[tuple[pa.Table, Int64s | None]] = []
        """Rows that are not added up yet, with what `take` was given."""
        self._waiting_rows = 0
        self._clear()

    def _clear(self) -> None:
        self._panes: dict[int | tuple[int, int], int] = {}
        """Numbers of panes, by their slice, and by slice and `after` for late rows."""
        self._slices = np.empty(0, dtype=np.int64)
        self._after = np.empty(0, dtype=np.int64)
        self._ends_us = WATERMARK_MIN_US
        """The end of the last window that holds a pane."""
        self._groups = PairNumbering()
        self._swept = 0
        """How many groups the last sweep left."""
        self._ranked: Int64s | None = None

    # -- taking in --------------------------------------------------------------------------------------------------

    def take(self, rows: pa.Table, after: Int64s | None) -> None:
        self._waiting.append((self._arguments.over(rows), after))
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= _MANY or len(self._waiting) >= _MANY_TICKS:
            self._settle()

    def _settle(self) -> None:
        """Add up the rows that wait. What can fail has been done: they are computed."""
        if not self._waiting:
            return
        rows = concat([table for table, _ in self._waiting])
        after = self._after_of([(table.num_rows, ends) for table, ends in self._waiting])
        self._waiting.clear()
        self._waiting_rows = 0
        panes = self._pane_of(self._grid.slices(int64s(rows, TS)), after)
        keys = [self._arguments.column(rows, e) for e in self._key_expressions]
        groups = self._groups.number(panes, self._keys.number(keys, rows.num_rows))
        self._tallied.grow(len(self._groups))
        self._tallied.add(groups, rows)

    def _after_of(self, parts: list[tuple[int, Int64s | None]]) -> Int64s | None:
        if all(ends is None for _, ends in parts):
            return None
        every = [np.full(count, WATERMARK_MIN_US, dtype=np.int64) if ends is None else ends for count, ends in parts]
        return np.concatenate(every)

    def _pane_of(self, slices: Int64s, after: Int64s | None) -> Int64s:
        """The pane of each row; new ones are added."""
        first = np.ones(len(slices), dtype=np.bool_)  # of a run of one pane: rows nearly stand in the order of time
        np.not_equal(slices[1:], slices[:-1], out=first[1:])
        if after is not None:
            first[1:] |= after[1:] != after[:-1]
        starts = np.flatnonzero(first)
        runs: list[int | tuple[int, int]] = slices[starts].tolist()
        if after is not None:
            pairs = zip(runs, after[starts].tolist(), strict=True)
            runs = [slice_ if end == WATERMARK_MIN_US else (slice_, end) for slice_, end in pairs]  # type: ignore[misc]
        panes, found, fresh = self._panes, [], []
        for run, start in zip(runs, starts.tolist(), strict=True):
            pane = panes.get(run)
            if pane is None:
                pane = panes[run] = len(panes)
                fresh.append(start)
            found.append(pane)
        if fresh:
            self._open(slices[fresh], None if after is None else after[fresh])
        numbers: Int64s = np.array(found, dtype=np.int64)[np.cumsum(first) - 1]
        return numbers

    def _open(self, slices: Int64s, after: Int64s | None) -> None:
        """Add panes."""
        floor = np.full(len(slices), WATERMARK_MIN_US, dtype=np.int64) if after is None else after
        self._slices, self._after = np.concatenate([self._slices, slices]), np.concatenate([self._after, floor])
        self._ends_us = max(self._ends_us, int(self._grid.last_ends(slices).max()))

    # -- closing ----------------------------------------------------------------------------------------------------

    def close(self, above_us: int, upto_us: int) -> pa.Table:
        self._settle()
        slices = self._slices
        panes, ends = self._grid.ends(slices, np.maximum(self._after, above_us), upto_us)
        if not len(panes):
            return no_rows(self.schema)
        owners, keys = parts_of(self._groups.known)
        sizes = np.bincount(owners, minlength=len(slices))
        starts = np.cumsum(sizes) - sizes
        places = np.argsort(narrow(owners), kind="stable")[ranges(starts[panes], sizes[panes])]
        end_places, number_of_end = np.unique(ends, return_inverse=True)
        number_of_end = np.repeat(number_of_end, sizes[panes])
        rows, windows = first_places(number_of_end * len(self._keys) + keys[places])
        order = self._order(number_of_end[rows], keys[places[rows]])
        rows = rows[order]
        columns = self._arrays(places, rows, windows, order)
        closed = end_places[number_of_end[rows]]
        return pa.Table.from_arrays(
            [
                array_of(Values(self._grid.starts(closed)), TIMESTAMP),
                array_of(Values(closed), TIMESTAMP),
                *self._keys.arrays(keys[places[rows]]),
                *columns,
                vector(closed),
            ],
            schema=self.schema,
        )

    def _arrays(self, places: Int64s, rows: Int64s, windows: Int64s, order: Int64s) -> list[pa.Array]:
        """The aggregates of windows: of their groups, together.

        Args:
            places: groups, once for each window that holds them.
            rows: one of these of each window, as they are to be given.
            windows: which window each of `places` belongs to, before `order`.
        """
        if len(rows) == len(places):
            return self._tallied.arrays(self._tallied.finals(places[rows]))
        whole = self._tallied.scratch(len(rows))
        whole.join(windows, self._tallied, places)
        return whole.arrays(whole.finals(order))

    def _order(self, ends: Int64s, keys: Int64s) -> Int64s:
        """The order of windows by end, then by key as DuckDB sorts: NULL last."""
        return np.lexsort((self._ranks(keys), ends))

    def _ranks(self, keys: Int64s) -> Int64s:
        if len(self._keys) <= _FEW:  # few keys keep their ranks until there is another one
            if self._ranked is None or len(self._ranked) < len(self._keys):
                self._ranked = _ranks_of(self._keys.arrays(np.arange(len(self._keys))), len(self._keys))
            return self._ranked[keys]
        rows, numbers = first_places(keys)
        return _ranks_of(self._keys.arrays(keys[rows]), len(rows))[numbers]

    # -- forgetting -------------------------------------------------------------------------------------------------

    def forget(self, end_us: int) -> None:
        self._over_us = max(self._over_us, end_us)
        if self._ends_us <= self._over_us:
            if len(self._slices):
                self._clear_all()
        elif len(self._groups) > 2 * self._swept + _FEW:
            live = np.flatnonzero(self._live())
            if len(self._groups) > 2 * len(live) + _FEW:
                self._keep(live)
            self._swept = len(live)

    def _clear_all(self) -> None:
        self._clear()
        self._keys.clear()
        self._tallied.clear()

    def _live(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which groups some window to come still needs."""
        live: np.ndarray[tuple[int], np.dtype[np.bool_]] = self._grid.last_ends(self._slices) > self._over_us
        return live[parts_of(self._groups.known)[0]]

    def _keep(self, groups: Int64s) -> None:
        owners, keys = parts_of(self._groups.known[groups])
        slices, after = self._slices[owners], self._after[owners]
        rows, numbers = first_places(keys)
        if len(self._keys) > 2 * len(rows) + _FEW:
            keys = self._keys.keep(keys[rows])[numbers]
        self._tallied.keep(groups[self._renumber(slices, after, keys)])

    def _renumber(self, slices: Int64s, after: Int64s, keys: Int64s) -> Int64s:
        """Start again with these groups: where each of the new ones stands among them."""
        self._clear()
        numbers = self._groups.number(self._pane_of(slices, after), keys)
        order = np.empty(len(numbers), dtype=np.int64)
        order[numbers] = np.arange(len(numbers))
        return order

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"{self._tallied.describe()} per slice and key"

    def tables(self) -> dict[str, pa.Table]:
        self._settle()
        groups = np.flatnonzero(self._live())
        owners, keys = parts_of(self._groups.known[groups])
        named = {f"key{i}": array for i, array in enumerate(self._keys.arrays(keys))}
        columns = {"slice": vector(self._slices[owners]), "after": vector(self._after[owners])}
        place = np.full(len(self._groups), -1, dtype=np.int64)
        place[groups] = np.arange(len(groups))
        tallies = self._tallied.group_columns(groups)
        return {"groups": pa.table(columns | named | tallies), **self._tallied.member_tables(place)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        groups = tables["groups"]
        self._clear_all()
        self._waiting.clear()
        self._waiting_rows = 0
        self._over_us = WATERMARK_MIN_US
        if not groups.num_rows:
            return
        columns = [groups.column(f"key{i}") for i in range(len(self._key_expressions))]
        keys = self._keys.number(columns, groups.num_rows)
        order = self._renumber(int64s(groups, "slice").copy(), int64s(groups, "after").copy(), keys)
        self._tallied.load(groups, tables)
        self._tallied.keep(order)

    def native(self) -> dict[str, str]:
        return {}

    def state_size(self) -> tuple[int, int]:
        live = self._live()
        groups, members = int(live.sum()), self._tallied.members_of(live)
        size = self._groups.nbytes + self._keys.nbytes + self._tallied.nbytes(groups, members)
        return groups + members + self._waiting_rows, size + sum(table.nbytes for table, _ in self._waiting)


def _ranks_of(columns: list[pa.Array], rows: int) -> Int64s:
    """The place of each row in the order of some columns."""
    ranks = np.zeros(rows, dtype=np.int64)
    if columns:
        names = [f"k{i}" for i in range(len(columns))]
        keys = [(name, "ascending") for name in names]
        order = pc.sort_indices(pa.table(columns, names=names), sort_keys=keys)
        ranks[numbers_in(order).view(np.int64)] = np.arange(rows)
    return ranks
