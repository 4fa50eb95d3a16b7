"""Groups as tallies: what each comes to, in numpy; a tick costs its rows, however many groups there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, WEIGHT
from velostream_nb.core.vectors import flags_in, vector
from velostream_nb.engine.arguments import Arguments
from velostream_nb.engine.delta import Int64s, int64s
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.finals import Final, chained, differ
from velostream_nb.engine.key_numbering import KeyNumbering
from velostream_nb.engine.numbering import first_places, with_room
from velostream_nb.engine.tallied import Tallied, compiled
from velostream_nb.sql import plan

_FEW = 1_024
"""So many groups without rows are not worth a sweep."""


def tallied_groups(node: plan.Group | plan.GroupChanges, duck: Duck, schema: pa.Schema) -> TalliedGroups | None:
    """The groups as tallies; None when some aggregate or key needs DuckDB itself, or cannot take a row back.

    Args:
        schema: of the rows; those of a changelog carry `WEIGHT`.
    """
    changes = WEIGHT in schema.names
    if changes and node.ttl_us is not None:  # then rows are forgotten one by one
        return None
    feed = duck.feed(schema)
    found = compiled(duck, feed, node.keys, node.aggregates, node.tallies, takes_back=changes)
    if found is None:
        duck.drop(feed)
        return None
    return TalliedGroups(node, *found, changes=changes)


class TalliedGroups:
    """See `groups.GroupStore`. Groups have the numbers of their keys.

    Args:
        changes: the input is a changelog: rows come and go, and groups with them.
    """

    def __init__(
        self,
        node: plan.Group | plan.GroupChanges,
        arguments: Arguments,
        keys: KeyNumbering,
        tallied: Tallied,
        *,
        changes: bool,
    ) -> None:
        self._arguments = arguments
        self._key_expressions = [e for e, _ in node.keys]
        self._keys = keys
        self._tallied = tallied
        self._changes = changes
        types = [*(arguments.types[e] for e in self._key_expressions), *tallied.types]
        fields = [pa.field(name, dtype) for name, dtype in zip(node.columns, types, strict=True)]
        self.schema = pa.schema([*fields, pa.field(WEIGHT, pa.int64())])
        self._clear()

    def _clear(self) -> None:
        self._keys.clear()
        self._tallied.clear()
        self._rows = np.empty(0, dtype=np.int64)
        """How many rows each group has; one without any is not there."""
        self._at = np.empty(0, dtype=np.int64)
        """Event time of the newest row of each group; a changelog's rows have none."""
        self._given = np.empty(0, dtype=np.bool_)
        """Which groups were emitted."""

    # -- ticks ------------------------------------------------------------------------------------------------------

    def change(self, rows: pa.Table) -> pa.Table:
        rows = self._arguments.over(rows) if rows.num_rows else rows
        touched = np.zeros(1, dtype=np.int64)
        groups = np.zeros(rows.num_rows, dtype=np.int64)
        if self._key_expressions:
            keys = [self._arguments.column(rows, e) for e in self._key_expressions]
            groups = self._keys.number(keys, rows.num_rows)
            touched = groups[first_places(groups)[0]]
        self._grow(int(touched.max()) + 1)
        before = self._tallied.finals(touched)
        if rows.num_rows:
            self._take(rows, groups)
        out = self._difference(touched, before, self._tallied.finals(touched))
        self._sweep()
        return out

    def _grow(self, groups: int) -> None:
        self._rows = with_room(self._rows, groups, 0)
        self._at = with_room(self._at, groups, WATERMARK_MIN_US)
        self._given = with_room(self._given, groups, fill=False)
        self._tallied.grow(groups)

    def _take(self, rows: pa.Table, groups: Int64s) -> None:
        if self._changes:
            weights = int64s(rows, WEIGHT)
            np.add.at(self._rows, groups, weights)
            self._tallied.add(groups, rows, weights)
        else:
            np.add.at(self._rows, groups, 1)
            np.maximum.at(self._at, groups, int64s(rows, TS))
            self._tallied.add(groups, rows)

    def _difference(self, touched: Int64s, before: list[Final], after: list[Final]) -> pa.Table:
        """What touched groups come to, less what was said of them."""
        was = self._given[touched]
        now = self._rows[touched] > 0 if self._key_expressions else np.ones(1, dtype=np.bool_)
        self._given[touched] = now
        changed = was != now
        for old, new in zip(before, after, strict=True):
            changed |= differ(old, new)
        gone, come = np.flatnonzero(was & changed), np.flatnonzero(now & changed)
        keys = self._keys.arrays(touched[np.concatenate([gone, come])])
        finals = [chained(old, gone, new, come) for old, new in zip(before, after, strict=True)]
        values = self._tallied.arrays(finals)
        weights = np.repeat(np.array([-1, 1]), [len(gone), len(come)])
        return pa.Table.from_arrays([*keys, *values, vector(weights)], schema=self.schema)

    # -- forgetting -------------------------------------------------------------------------------------------------

    def expire(self, before_us: int) -> None:
        if self._key_expressions:
            self._keep(np.flatnonzero(self._at[: len(self._keys)] >= before_us))
        elif len(self._at) and self._at[0] < before_us:
            self._clear()

    def _sweep(self) -> None:
        """Forget groups that have no rows any more, once they are many."""
        if self._changes and self._key_expressions and len(self._keys) > _FEW:
            there = np.flatnonzero(self._rows[: len(self._keys)] > 0)
            if len(self._keys) > 2 * len(there) + _FEW:
                self._keep(there)

    def _keep(self, groups: Int64s) -> None:
        if len(groups) == len(self._keys):
            return
        numbers = self._keys.keep(groups)
        kept = np.empty(len(groups), dtype=np.int64)
        kept[numbers] = groups
        self._rows, self._at, self._given = self._rows[kept], self._at[kept], self._given[kept]
        self._tallied.keep(kept)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return self._tallied.describe()

    def tables(self) -> dict[str, pa.Table]:
        groups = np.arange(self._count)
        columns = {f"key{i}": array for i, array in enumerate(self._keys.arrays(groups))}
        own = {"rows": self._rows, "at": self._at, "given": self._given}
        columns |= {name: vector(part[groups]) for name, part in own.items()}
        columns |= self._tallied.group_columns(groups)
        return {"groups": pa.table(columns), **self._tallied.member_tables(groups)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        groups = tables["groups"]
        self._clear()
        columns = [groups.column(f"key{i}") for i in range(len(self._key_expressions))]
        numbers = self._keys.number(columns, groups.num_rows) if columns else np.arange(groups.num_rows)
        order = np.empty(groups.num_rows, dtype=np.int64)
        order[numbers] = np.arange(groups.num_rows)
        self._rows, self._at = int64s(groups, "rows")[order], int64s(groups, "at")[order]
        self._given = flags_in(groups.column("given"))[order]
        self._tallied.load(groups, tables)
        self._tallied.keep(order)

    @property
    def _count(self) -> int:
        return len(self._keys) if self._key_expressions else min(1, len(self._rows))

    def native(self) -> dict[str, str]:
        return {}

    def state_size(self) -> tuple[int, int]:
        members = self._tallied.members_of(np.ones(self._count, dtype=np.bool_))
        size = self._keys.nbytes + 17 * self._count + self._tallied.nbytes(self._count, members)
        return self._count + members, size
