"""PARTITION BY: its columns, and when a partition is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.core.records import TS
from velostream_nb.sql.buckets import bucket_of, lag_of
from velostream_nb.sql.plan import Node
from velostream_nb.sql.scope import is_column, named, text
from velostream_nb.sql.spread import spread

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items


@dataclass(frozen=True, slots=True)
class Partition:
    """PARTITION BY as columns.

    Attributes:
        ends: column that says when the partition is over; None: it never is.
        by: the expression behind `ends`.
        fixed: event time and that expression are the same distance apart in all rows, so that the partition is over as
            soon as its rows are there.
    """

    columns: tuple[str, ...]
    ends: str | None = None
    by: str = ""
    fixed: bool = False


class Extra:
    """Columns that are computed before the window functions, of a node's rows."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.items: Items = []

    def column(self, tree: exp.Expr) -> str:
        """The column of that value; an expression becomes one."""
        known = is_column(tree, self._node.columns)
        if known is not None:
            return known
        for expression, name in self.items:
            if expression == tree:
                return name
        name = f"__x{len(self.items)}"
        self.items.append((tree.copy(), name))
        return name

    def known(self, tree: exp.Expr) -> str:
        """The column that says whether a value is not NULL."""
        return self.column(exp.Not(this=exp.Is(this=exp.paren(tree.copy()), expression=exp.null())))

    def partition(self, window: exp.Window) -> Partition:
        """The window's partition; it ends when one of its expressions follows event time."""
        trees = window.args.get("partition_by") or []
        columns = tuple(self.column(t) for t in trees)
        found: list[Partition] = []
        for tree in trees:
            lag_us = self._lag_us(tree)
            if lag_us is not None:
                column = is_column(tree, self._node.time)
                apart = spread(self._node, column) if column is not None else None
                fixed = apart is not None and apart.least_us == apart.most_us
                found.append(Partition(columns, self.column(_ends(tree, lag_us)), text(tree), fixed))
        return max(found, key=lambda p: p.fixed, default=Partition(columns))

    def _lag_us(self, tree: exp.Expr) -> int | None:
        """How far the expression may lie behind event time; None when it does not follow event time."""
        times = self._node.time
        lag_us = lag_of(tree, times)
        if lag_us is not None:
            return lag_us
        bucket = bucket_of(tree, times)
        return None if bucket is None else times[bucket.by] + bucket.window.longest_us - 1


def _ends(tree: exp.Expr, lag_us: int) -> exp.Expr:
    """µs: no row of the partition is at or after it; one without a time never ends."""
    if not lag_us:
        return exp.Add(this=named(TS), expression=exp.Literal.number(1))
    at = exp.Anonymous(this="epoch_us", expressions=[tree.copy()])
    end = at if lag_us == -1 else exp.Add(this=at, expression=exp.Literal.number(lag_us + 1))
    return exp.Coalesce(this=end, expressions=[exp.Literal.number(WATERMARK_MAX_US)])
