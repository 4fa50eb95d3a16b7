"""Changes that cancel out: equal rows that come and go within a tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.identity import combined, identity
from velostream_nb.core.records import WEIGHT
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Int64s


def codes(columns: Sequence[pa.ChunkedArray], rows: int) -> Int64s:
    """A number a row, equal where the rows are; for columns that nobody else asks about."""
    return combined(map(identity, columns), rows)[0]


def netted(codes: Int64s, weights: Int64s) -> tuple[Int64s, Int64s]:
    """(a place of each row that is left, how often it comes or goes), of rows that are equal where their codes are."""
    _, which = np.unique(codes, return_inverse=True)
    total = np.zeros(int(which.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(total, which, weights)
    place = np.empty(len(total), dtype=np.int64)
    mine = np.flatnonzero(np.sign(weights) == np.sign(total[which]))
    place[which[mine]] = mine
    left = np.flatnonzero(total)
    order = np.argsort(place[left])
    return place[left][order], total[left][order]


def difference(old: pa.Table, new: pa.Table) -> pa.Table:
    """The rows of the one that are none of the other's, with `WEIGHT`: what goes, and what comes."""
    both = pa.concat_tables([old, new])
    signs = np.repeat(np.array([-1, 1]), [old.num_rows, new.num_rows])
    places, weights = netted(codes(both.columns, both.num_rows), signs)
    return both.take(vector(places)).append_column(WEIGHT, vector(weights))
