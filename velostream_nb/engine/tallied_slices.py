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
from velostream_nb.engine.arguments import Arguments
from velostream_nb.engine.arrays import array_of, ranges
from velostream_nb.engine.codes import narrow
from velostream_nb.engine.delta import Int64s, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Values
from velostream_nb.engine.grids import Grid
from velostream_nb.engine.node import Operator
from velostream_nb.engine.numbering import KeyNumbering, Numbering, first_places, paired, parts_of
from velostream_nb.engine.tallied import Tallied, compiled
from velostream_nb.sql import plan

_FEW = 1_024
"""So many groups, or keys, that are over are not worth a sweep."""


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
        self._clear()

    def _clear(self) -> None:
        self._panes: dict[int | tuple[int, int], int] = {}
        """Numbers of panes, by their slice, and by slice and `after` for late rows."""
        self._slices = np.empty(0, dtype=np.int64)
        self._after = np.empty(0, dtype=np.int64)
        self._groups = Numbering()
        self._ranked: Int64s | None = None

    # -- taking in --------------------------------------------------------------------------------------------------

    def take(self, rows: pa.Table, after: Int64s | None) -> None:
        columns = self._arguments.columns(rows)
        panes = self._pane_of(self._grid.slices(int64s(rows, TS)), after)
        keys = self._keys.number([columns[e] for e in self._key_expressions], rows.num_rows)
        groups = self._group_of(panes, keys)
        self._tallied.grow(len(self._groups))
        self._tallied.add(groups, columns)

    def _group_of(self, panes: Int64s, keys: Int64s) -> Int64s:
        first = int(panes.min())
        codes = (panes - first) * len(self._keys) + keys
        if int(codes.max()) > len(codes):
            return self._groups.number(paired(panes, keys))
        rows, which = first_places(codes)
        return self._groups.number(paired(panes[rows], keys[rows]))[which]

    def _pane_of(self, slices: Int64s, after: Int64s | None) -> Int64s:
        """The pane of each row; new ones are added."""
        starts = np.flatnonzero(slices[1:] != slices[:-1]) + 1  # rows nearly stand in the order of time
        if after is not None:
            starts = np.union1d(starts, np.flatnonzero(after[1:] != after[:-1]) + 1)
        starts = np.concatenate(([0], starts))
        runs: list[int | tuple[int, int]] = slices[starts].tolist()
        ends = None if after is None else after[starts]
        if ends is not None:
            pairs = zip(runs, ends.tolist(), strict=True)
            runs = [slice_ if end == WATERMARK_MIN_US else (slice_, end) for slice_, end in pairs]  # type: ignore[misc]
        panes = self._panes
        found = np.fromiter((panes.setdefault(run, len(panes)) for run in runs), dtype=np.int64, count=len(runs))
        known = len(self._slices)
        if len(panes) > known:
            fresh, places = np.unique(found, return_index=True)
            places = places[fresh >= known]
            self._slices = np.concatenate([self._slices, slices[starts[places]]])
            floor = np.full(len(places), WATERMARK_MIN_US, dtype=np.int64) if ends is None else ends[places]
            self._after = np.concatenate([self._after, floor])
        return np.repeat(found, np.diff(starts, append=len(slices)))

    # -- closing ----------------------------------------------------------------------------------------------------

    def close(self, above_us: int, upto_us: int) -> pa.Table:
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
                pa.array(closed),
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
        live = np.flatnonzero(self._live())
        if not len(live) and len(self._groups):
            self._clear_all()
        elif len(self._groups) > 2 * len(live) + _FEW:
            self._keep(live)

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
        numbers = self._groups.number(paired(self._pane_of(slices, after), keys))
        order = np.empty(len(numbers), dtype=np.int64)
        order[numbers] = np.arange(len(numbers))
        return order

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"{self._tallied.describe()} per slice and key"

    def tables(self) -> dict[str, pa.Table]:
        groups = np.flatnonzero(self._live())
        owners, keys = parts_of(self._groups.known[groups])
        named = {f"key{i}": array for i, array in enumerate(self._keys.arrays(keys))}
        columns = {"slice": pa.array(self._slices[owners]), "after": pa.array(self._after[owners])}
        place = np.full(len(self._groups), -1, dtype=np.int64)
        place[groups] = np.arange(len(groups))
        tallies = self._tallied.group_columns(groups)
        return {"groups": pa.table(columns | named | tallies), **self._tallied.member_tables(place)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        groups = tables["groups"]
        self._clear_all()
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
        return groups + members, self._groups.nbytes + self._keys.nbytes + self._tallied.nbytes(groups, members)


def _ranks_of(columns: list[pa.Array], rows: int) -> Int64s:
    """The place of each row in the order of some columns."""
    ranks = np.zeros(rows, dtype=np.int64)
    if columns:
        names = [f"k{i}" for i in range(len(columns))]
        keys = [(name, "ascending") for name in names]
        order = pc.sort_indices(pa.table(columns, names=names), sort_keys=keys)
        ranks[order.to_numpy()] = np.arange(rows)
    return ranks
