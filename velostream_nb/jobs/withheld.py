"""Changes that a job has worked out and not published yet, and what an earlier run of it has left in its topic."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.jobs.changelog import condense, difference, fold

SUM_UP_ROWS = 50_000
"""Changes are summed up when so many have come, and twice as many as their last sum had rows."""


class Withheld:
    """The changes of a job that has yet to catch up with the others.

    Args:
        mode, key: of its changelog; see `core.schema.StreamSchema`. Nothing can be kept without a mode.
    """

    def __init__(self, mode: str | None = None, key: Sequence[str] = ()) -> None:
        self._mode = mode
        self._key = key
        self._changes: list[pa.Table] = []
        self._standing: pa.Table | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to publish, or to compare with what will be."""
        return bool(self._changes) or self._standing is not None

    def stands(self, rows: pa.Table) -> None:
        """Tell what an earlier run has left: the first publish will be the difference to it."""
        self._standing = rows

    def cast(self, columns: pa.Schema) -> None:
        """Take other types of the same columns on."""
        self._changes = [_cast(rows, columns) for rows in self._changes]
        self._standing = None if self._standing is None else _cast(self._standing, columns)

    def add(self, changes: pa.Table) -> None:
        """Keep changes for later."""
        self._changes.append(changes)
        if sum(table.num_rows for table in self._changes) > 2 * self._changes[0].num_rows + SUM_UP_ROWS:
            self._changes = [self._sum()]

    def release(self, changes: pa.Table) -> pa.Table:
        """All that was kept and `changes`, summed up; nothing is kept from here on."""
        if not self:
            return changes
        self._changes.append(changes)
        due = self._sum()
        if self._standing is not None:
            assert self._mode is not None, "only a changelog's rows stand"
            due = difference(self._standing, fold(due, self._mode, self._key), self._mode, self._key)
        self._changes, self._standing = [], None
        return due

    def _sum(self) -> pa.Table:
        assert self._mode is not None, "only changelogs are withheld"
        return condense(pa.concat_tables(self._changes), self._mode, self._key)


def _cast(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    fields = [columns.field(field.name) if field.name in columns.names else field for field in rows.schema]
    return rows.cast(pa.schema(fields))
