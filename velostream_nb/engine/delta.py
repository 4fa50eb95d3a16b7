"""What flows between operators: the new rows of a tick and how far time has come."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.records import TS, Rejected
from velostream_nb.core.vectors import vector, whole
from velostream_nb.engine.codes import Int64s as Int64s
from velostream_nb.engine.codes import narrow, parted

WM = "__wm"
"""Hidden column of late rows: the watermark of the row's own partition when it arrived, int64 µs."""


@dataclass(slots=True)
class Delta:
    """One operator's output of one tick.

    Attributes:
        rows: columns, then TS and the position columns; of a changelog, columns, then `WEIGHT`.
        late: rows that came behind the watermark of their own partition: the same columns, then `WM`. None when there
            are none, which is nearly always. Whether they still count is the reader's decision.
        watermark_us: every row still to come has ``TS >= watermark_us``, late ones excepted.
        many: several partitions or topics feed it, so rows at the watermark itself may still be overtaken.
    """

    rows: pa.Table
    watermark_us: int
    late: pa.Table | None = None
    many: bool = False


@dataclass(slots=True)
class Account:
    """What one tick of a job had to leave out.

    Attributes:
        late: how many rows came too late to count.
        rejected: rows that could not be computed.
        letters: late rows go to the dead-letter topic ('late.data' = 'dead_letter').
        dropped: late rows of the operator at work, with the number of its input they came from; empty unless `letters`.
        late_rows: late rows of the tick as records.
        failed: rows that the operator at work has set aside itself, each with the reason.
    """

    late: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    letters: bool = False
    dropped: list[tuple[pa.Table, int]] = field(default_factory=list)
    late_rows: list[Rejected] = field(default_factory=list)
    failed: list[tuple[pa.Table, str]] = field(default_factory=list)

    def drop(self, rows: pa.Table | None, side: int = 0) -> None:
        """Count late rows (`Delta.late`, or some of them) as dropped.

        Called last in a step: one that fails counts none.

        Args:
            side: which input of the operator they came from.
        """
        if rows is not None and rows.num_rows:
            self.late += rows.num_rows
            if self.letters:
                self.dropped.append((rows, side))

    def clear(self) -> None:
        """A new tick begins."""
        self.late = 0
        self.rejected.clear()
        self.dropped.clear()
        self.late_rows.clear()
        self.failed.clear()


def int64s(table: pa.Table, name: str) -> Int64s:
    """A hidden int64 column as numpy."""
    column = table.column(name)
    array = column.chunk(0) if column.num_chunks == 1 else whole(column)
    rows = len(array)
    return np.frombuffer(array.buffers()[1], np.int64, rows, 8 * array.offset) if rows else np.empty(0, dtype=np.int64)


def concat(parts: list[pa.Table]) -> pa.Table:
    """Tables of one schema one after another; empty ones are skipped."""
    full = [p for p in parts if p.num_rows]
    if not full:
        return parts[0]
    return full[0] if len(full) == 1 else pa.concat_tables(full)


def split_late(table: pa.Table, wm: Int64s) -> tuple[pa.Table, pa.Table | None]:
    """(rows in time, late rows with `WM`), given each row's own watermark at its arrival."""
    late = int64s(table, TS) < wm
    if not late.any():
        return table, None
    behind = table.filter(vector(late)).append_column(WM, vector(wm[late]))
    return table.filter(vector(~late)), behind


def is_sorted(*keys: Int64s) -> bool:
    """Do rows stand in the order of the keys, most significant first?"""
    if len(keys[0]) < 2:
        return True
    first = keys[0]
    if len(keys) == 1:
        return bool((first[1:] >= first[:-1]).all())
    rising = first[1:] > first[:-1]
    if rising.all():
        return True
    equal = first[1:] == first[:-1]
    if not (rising | equal).all():
        return False
    rest = keys[1]
    ties = rest[1:] > rest[:-1]
    if len(keys) > 2:
        ties |= rest[1:] == rest[:-1]
        if not (rising | ties).all():
            return False
        return bool(np.array_equal(np.lexsort(keys[::-1]), np.arange(len(first))))
    return bool((rising | ties).all())


def codes_of(table: pa.Table, columns: tuple[str, ...]) -> Int64s:
    """One number a row that is equal exactly where the key columns are equal; NULL equals NULL. Read-only."""
    return parted(table, columns).codes


def last_per_code(codes: Int64s, count: int) -> npt.NDArray[np.bool_]:
    """True for the last `count` rows of every code, in the order the rows stand."""
    if count <= 0 or not len(codes):
        return np.zeros(len(codes), dtype=np.bool_)
    order = np.argsort(narrow(codes), kind="stable")
    ordered = codes[order]
    last = np.r_[np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1]
    sizes = np.diff(np.r_[-1, last])
    from_end = np.repeat(last, sizes) - np.arange(len(ordered))
    keep = np.zeros(len(codes), dtype=np.bool_)
    keep[order[from_end < count]] = True
    return keep
