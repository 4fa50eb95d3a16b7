"""The pairs of an interval join by DuckDB: for conditions that sorted arrays cannot answer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS
from velostream_nb.core.vectors import vector
from velostream_nb.engine.bands import Pairs, Run
from velostream_nb.engine.delta import int64s
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.join_side import Side
from velostream_nb.sql import plan

_BUCKETED_PAIRS = 200_000
"""Above so many candidate pairs the time bound is turned into an equality of time buckets, which DuckDB hashes."""

_ROW = "__row"
"""Hidden column of the feeds: the number of the row."""


class Queried:
    """New left × all right, old left × new right, with the whole condition in the join."""

    def __init__(self, node: plan.IntervalJoin, duck: Duck, left: pa.Schema, right: pa.Schema) -> None:
        self._node = node
        self._width_us = max(1, node.high_us - node.low_us)
        schemas = [pa.schema([*schema, pa.field(_ROW, pa.int64())]) for schema in (left, right)]
        self._feeds = tuple(duck.feed(schemas[side]) for side in (0, 0, 1, 1))
        left_new, left_old, right_all, right_new = self._feeds
        self._plain, self._bucketed = (
            duck.prepare(
                f"{self._pairs(left_new, right_all, buckets)} UNION ALL {self._pairs(left_old, right_new, buckets)}"
            )
            for buckets in (False, True)
        )

    def _pairs(self, left: Feed, right: Feed, bucketed: bool) -> str:
        node = self._node
        on = node.condition or "TRUE"
        left_sql, right_sql = self._side(left, node.left_columns), self._side(right, node.right_columns)
        if bucketed:
            first, last = self._bucket(f"{TS} - {node.high_us}"), self._bucket(f"{TS} - {node.low_us}")
            left_sql = f"(SELECT *, unnest(range({first}, {last} + 1)) AS __bucket FROM {left_sql})"
            right_sql = f"(SELECT *, {self._bucket(TS)} AS __bucket FROM {right_sql})"
            on += " AND __l.__bucket = __r.__bucket"
        # for SEMI and ANTI too: without an equality, the IE Join of DuckDB 2.0 loses rows there
        return f"SELECT __l.{_ROW} AS l, __r.{_ROW} AS r FROM {left_sql} AS __l JOIN {right_sql} AS __r ON {on}"

    def _bucket(self, time: str) -> str:
        return f"(({time}) // {self._width_us})"

    def _side(self, feed: Feed, columns: tuple[tuple[str, str], ...]) -> str:
        renamed = "".join(f"{quote(c)} AS {quote(o)}, " for c, o in columns)
        return f"(SELECT {renamed}{TS}, {_ROW} FROM {feed.name})"

    nbytes = 0
    """What it keeps itself."""

    # -- ticks ------------------------------------------------------------------------------------------------------

    def run(self, rows: pa.Table, side: int) -> Run:  # noqa: ARG002  both are alike
        """A tick's rows as they came."""
        numbers = np.arange(rows.num_rows)
        return Run(numbers, np.zeros_like(numbers), int64s(rows, TS))

    def pairs(self, left: Side, right: Side, new: tuple[Run, Run]) -> Pairs:
        """The left rows and the right rows of all pairs that have a new row.

        Raises:
            EvaluationError: the condition cannot be computed for some pair.
        """
        left_new, left_old, right_all, right_new = self._feeds
        left_rows, right_rows = _numbered(left), _numbered(right)
        before = left.count - len(new[0]), right.count - len(new[1])
        left_new.rows, left_old.rows = left_rows.slice(before[0]), left_rows.slice(0, before[0])
        right_new.rows, right_all.rows = right_rows.slice(before[1]), right_rows
        count = len(new[0]) * right.count + before[0] * len(new[1])
        found = (self._bucketed if count > _BUCKETED_PAIRS else self._plain).rows()
        return int64s(found, "l"), int64s(found, "r")

    def settled(self, left: Side, right: Side, new: tuple[Run, Run]) -> None:
        """A tick is over: let go of what is of no use."""
        del new
        left.sweep()
        right.sweep()


def _numbered(side: Side) -> pa.Table:
    """The rows, which are as they came, each with its number."""
    return side.rows.table().append_column(_ROW, vector(np.arange(side.count)))
