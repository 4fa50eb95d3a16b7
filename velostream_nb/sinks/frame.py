"""The newest rows of a topic, in memory, for whoever wants to look: bounded, and read without stopping the writer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.errors import SchemaError, did_you_mean
from velostream_nb.core.identity import combined, identity
from velostream_nb.core.records import HIDDEN, OP

_FOLD_AT_LEAST_ROWS = 4_096


class LiveFrame:
    """A window on a topic. Writers `append`, widgets pull `snapshot` when `version` has moved.

    Without a key it keeps the newest `max_rows` rows, oldest first. With a key it keeps the newest row of each key, in
    the order of their last change, and lets go of the keys that were changed longest ago; a row whose
    `core.records.OP` is 'delete' removes its key. Hidden columns are not kept.

    Safe for threads. An append only links its columns; rows are copied when a snapshot is taken after a change.

    Args:
        max_rows: the most rows a snapshot has; at least 1.
        key: columns that form the key; () keeps every row.
    """

    def __init__(self, max_rows: int = 5_000, key: Sequence[str] = ()) -> None:
        if max_rows < 1:
            raise ValueError(f"a frame holds at least one row, got max_rows={max_rows}")
        self.max_rows = max_rows
        self.key = tuple(key)
        self._lock = threading.Lock()
        self._chunks: deque[pa.Table] = deque()
        self._held_rows = 0
        self._version = 0
        self._dropped = 0
        self._snapshot: pa.Table | None = None

    @property
    def version(self) -> int:
        """Grows with every append of at least one row."""
        with self._lock:
            return self._version

    @property
    def dropped(self) -> int:
        """Rows let go because only the newest fit; with a key, rows of forgotten keys (replaced rows do not count)."""
        with self._lock:
            if self.key:
                self._fold()
            return self._dropped

    def append(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows in order. SchemaError when a key column is missing or the columns are not those of before."""
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        keep = [name for name in table.column_names if name not in HIDDEN or (name == OP and self.key)]
        table = table.select(keep)
        for name in self.key:
            if name not in keep:
                raise SchemaError(f"key column {name!r} is not among the rows", hint=did_you_mean(name, keep))
        if table.num_rows == 0:
            return
        with self._lock:
            if self._chunks and self._user_names(self._chunks[-1]) != self._user_names(table):
                raise SchemaError(
                    f"rows with columns {', '.join(keep)} do not continue a frame of "
                    f"{', '.join(self._user_names(self._chunks[-1]))}",
                    hint="clear the frame first",
                )
            self._chunks.append(table)
            self._held_rows += table.num_rows
            self._version += 1
            self._snapshot = None
            if not self.key:
                self._trim()
            elif self._held_rows > 2 * self.max_rows + _FOLD_AT_LEAST_ROWS:
                self._fold()

    def snapshot(self) -> pa.Table:
        """The rows as of now; a table without columns while there was none. The same object until the next append."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = self._fold() if self.key else self._join()
            return self._snapshot

    def clear(self) -> None:
        """Forget all rows; the counts stay."""
        with self._lock:
            self._chunks.clear()
            self._held_rows = 0
            self._version += 1
            self._snapshot = None

    @staticmethod
    def _user_names(table: pa.Table) -> list[str]:
        return [name for name in table.column_names if name != OP]

    def _join(self) -> pa.Table:
        if not self._chunks:
            return pa.table({})
        joined = pa.concat_tables(self._chunks, promote_options="permissive").combine_chunks()
        self._chunks = deque([joined])
        return joined

    def _trim(self) -> None:
        """Drop rows from the front until `max_rows` are left; a chunk is sliced, not copied."""
        while (excess := self._held_rows - self.max_rows) > 0:
            oldest = self._chunks[0]
            gone = min(excess, oldest.num_rows)
            if gone == oldest.num_rows:
                self._chunks.popleft()
            else:
                self._chunks[0] = oldest.slice(gone)
            self._held_rows -= gone
            self._dropped += gone

    def _fold(self) -> pa.Table:
        """Keep the last row of each key, without deleted ones, and at most `max_rows` of them."""
        if not self._chunks:
            return pa.table({})
        table = self._join()
        keep = last_of_each(table.select(self.key))
        if OP in table.column_names:
            deleted = table[OP].combine_chunks().to_pylist()
            keep = keep[[deleted[row] != "delete" for row in keep.tolist()]]
            table = table.drop_columns([OP])
        self._dropped += max(0, len(keep) - self.max_rows)
        table = table.take(pa.array(keep[-self.max_rows :])).combine_chunks()
        self._chunks = deque([table])
        self._held_rows = table.num_rows
        return table


def last_of_each(keys: pa.Table) -> npt.NDArray[np.int64]:
    """Row numbers of the last row of each distinct key, ascending; NULL is a key value like any other."""
    code, _ = combined(map(identity, keys.columns), keys.num_rows)
    _, first_from_end = np.unique(code[::-1], return_index=True)
    return np.sort(keys.num_rows - 1 - first_from_end)
