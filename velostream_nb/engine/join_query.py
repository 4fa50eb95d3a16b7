"""The pairs of an interval join by DuckDB: for conditions that sorted arrays cannot answer."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS
from velostream_nb.engine.bands import Pairs, Run
from velostream_nb.engine.delta import int64s
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.join_side import Arrived, Side
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

    def arrived(self, rows: tuple[pa.Table, pa.Table]) -> tuple[Arrived, Arrived]:
        """A tick's rows as they are."""
        left, right = map(_arrived, rows)
        return left, right

    def pairs(self, left: Side, right: Side) -> Pairs:
        """Numbers of the left rows and of the right rows of all pairs that have a new row.

        Raises:
            EvaluationError: the condition cannot be computed for some pair.
        """
        left_new, left_old, right_all, right_new = self._feeds
        left_new.rows, left_old.rows, _ = _split(left)
        right_new.rows, _, right_all.rows = _split(right)
        count = len(left.new) * len(right) + len(left.old) * len(right.new)
        found = (self._bucketed if count > _BUCKETED_PAIRS else self._plain).rows()
        return int64s(found, "l"), int64s(found, "r")

    def tidied(self, left: Side, right: Side) -> tuple[Side, Side]:
        """The sides after a tick."""
        return left.swept(), right.swept()


def _arrived(rows: pa.Table) -> Arrived:
    numbers = np.arange(rows.num_rows)
    return Arrived(rows, Run(numbers, np.zeros_like(numbers), int64s(rows, TS)).sorted())


def _split(side: Side) -> tuple[pa.Table, pa.Table, pa.Table]:
    """(new rows, the others, all), each with its number."""
    rows = side.rows.append_column(_ROW, pa.array(np.arange(side.rows.num_rows, dtype=np.int64)))
    before = rows.num_rows - len(side.new)
    return rows.slice(before), rows.slice(0, before), rows
