"""Changelogs outside the engine: rows with `OP` folded to what they amount to, and summed up to fewer changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.identity import combined, identity
from velostream_nb.core.records import OP
from velostream_nb.core.vectors import flags_in, vector

Int64s = npt.NDArray[np.int64]


def fold(rows: pa.Table, mode: str, key: Sequence[str]) -> pa.Table:
    """What stands after all changes, in the order of their last change, without `OP`.

    Args:
        rows: changes in order. Without a column `OP`, or where it is NULL, rows come.
        mode: 'upsert', the newest row per key (an empty key: one row in all); 'retract', a bag of rows, where a delete
            takes out one equal row (and does nothing when there is none: retention may have taken the insert).
    """
    if not rows.num_rows:
        return _without_op(rows)
    if mode == "upsert":
        newest = rows.take(vector(_newest(rows, key)))
        return _without_op(newest.filter(vector(~_deletes(newest))))
    comes = np.flatnonzero(~_deletes(rows))
    codes, net = _net(rows)
    kept = comes[_from_end(codes[comes]) < net[codes[comes]]]
    return _without_op(rows.take(vector(kept)))


def split(rows: pa.Table, mode: str, key: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """A run of changes for somebody who knows what stood before: (rows that stand after it, rows that went).

    Of an upsert changelog with a key the rows that went are keys; else they are whole rows.
    """
    changes = condense(rows, mode, key)
    gone = vector(_deletes(changes))
    went = _without_op(changes.filter(gone))
    return _without_op(changes.filter(pc.invert(gone))), went.select(list(key)) if key and mode == "upsert" else went


def condense(rows: pa.Table, mode: str, key: Sequence[str]) -> pa.Table:
    """Fewer changes with the same effect: one per key; or, of rows that come and go, only the difference.

    Deletes come before inserts, so that nobody who applies them sees a row twice.
    """
    if not rows.num_rows:
        return rows
    if mode == "upsert":
        return rows.take(vector(_newest(rows, key)))
    gone = _deletes(rows)
    codes, net = _net(rows)
    goes, comes = np.flatnonzero(gone), np.flatnonzero(~gone)
    goes = goes[_from_end(codes[goes]) < -net[codes[goes]]]
    comes = comes[_from_end(codes[comes]) < net[codes[comes]]]
    return rows.take(vector(np.concatenate([goes, comes])))


def difference(before: pa.Table, after: pa.Table, mode: str, key: Sequence[str]) -> pa.Table:
    """The changes that make one state of the other, with `OP` last; both have the same columns in the same order."""
    ops = pa.array(["delete"] * before.num_rows + ["insert"] * after.num_rows, pa.string())
    changes = condense(pa.concat_tables([before, after]).append_column(OP, ops), "retract", ())
    if mode == "retract":
        return changes
    newest = changes.take(vector(_newest(changes, key))) if changes.num_rows else changes
    op = pc.if_else(vector(_deletes(newest)), "delete", "upsert")
    return newest.set_column(newest.num_columns - 1, OP, op)


def _without_op(rows: pa.Table) -> pa.Table:
    return rows.drop_columns([OP]) if OP in rows.column_names else rows


def _deletes(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows are deletes."""
    if OP not in rows.column_names:
        return np.zeros(rows.num_rows, dtype=np.bool_)
    gone = pc.fill_null(pc.equal(rows.column(OP), "delete"), False)
    return flags_in(gone)


def _newest(rows: pa.Table, key: Sequence[str]) -> Int64s:
    """Row numbers of the last row of each key, ascending."""
    if not key:
        return np.array([rows.num_rows - 1])
    return np.sort(rows.num_rows - 1 - np.unique(row_codes(rows.select(list(key)))[::-1], return_index=True)[1])


def _net(rows: pa.Table) -> tuple[Int64s, Int64s]:
    """A code a row, equal where all columns but `OP` are; and by code, how many more rows come than go."""
    codes = row_codes(_without_op(rows))
    return codes, np.bincount(codes, weights=np.where(_deletes(rows), -1, 1)).astype(np.int64)


def _from_end(codes: Int64s) -> Int64s:
    """How many rows of the same code follow each row."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], np.ones(min(len(codes), 1), dtype=np.bool_)])
    after = np.empty(len(codes), dtype=np.int64)
    after[order] = np.repeat(last, np.diff(np.r_[-1, last])) - np.arange(len(codes))
    return after


def row_codes(rows: pa.Table) -> Int64s:
    """Numbers from 0, equal where rows are equal in all columns; NULL equals NULL, and NaN equals NaN."""
    codes, _ = combined(map(identity, rows.columns), rows.num_rows)
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)
