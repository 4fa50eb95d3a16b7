"""How far a column that follows event time may be from it, row by row.

`Node.time` bounds such a column against the watermark; joins bound rows of two inputs against each other, for which the
least distance counts as well as the most. It is read off the plan: columns keep their distance through every operator
but joins (event time is the later of two) and retimings (another column becomes event time).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.bounds import interval_us
from velostream_nb.sql.buckets import bucket_of
from velostream_nb.sql.plan import (
    AsofJoin,
    Ended,
    IntervalJoin,
    Node,
    Order,
    Over,
    Project,
    Running,
    TableJoin,
    Union,
    WindowAggregate,
)
from velostream_nb.sql.scope import is_column, named, stream_time, text


@dataclass(frozen=True, slots=True)
class Spread:
    """``least_us <= event time - column <= most_us`` for every row (where the column is not NULL)."""

    least_us: int = 0
    most_us: int = 0

    @property
    def exact(self) -> bool:
        """Is the column event time itself?"""
        return self.least_us == self.most_us == 0

    @property
    def lag_us(self) -> int:
        """The column's entry in `Node.time`: 0 is for event time itself alone."""
        return 0 if self.exact else max(1, self.most_us)

    def later(self, least_us: int, most_us: int) -> Spread:
        """Of the same column, when event time becomes later by so much."""
        return Spread(self.least_us + least_us, self.most_us + most_us)


def spread(node: Node, column: str) -> Spread | None:
    """The distance of a column from its node's event time; None when it does not follow event time."""
    if column not in node.time:
        return None
    found = None
    if isinstance(node, Project) and column in node.spans:
        found = Spread(*node.spans[column])
    elif isinstance(node, Project):
        found = _through_items(node, column)
    elif isinstance(node, IntervalJoin):
        found = _joined(node, column)
    elif isinstance(node, AsofJoin):
        found = _renamed(node.inputs[0], node.left_columns, column)
    elif isinstance(node, TableJoin):
        found = _renamed(node.inputs[1], node.stream_columns, column)
    elif isinstance(node, Order | Running | Over | Ended | Union):
        found = _of_all(node, column)
    elif isinstance(node, WindowAggregate) and column == "window_start" and not node.window.cumulate:
        found = Spread(node.window.size_us, node.window.size_us) if node.window.size_us else None
    return found or Spread(0, node.time[column])


def _of_all(node: Node, column: str) -> Spread | None:
    """Of operators that give the rows of their inputs as they are."""
    found = [spread(upstream, column) for upstream in node.inputs]
    known = [s for s in found if s is not None]
    if len(known) < len(found):
        return None
    return Spread(min(s.least_us for s in known), max(s.most_us for s in known))


def _through_items(node: Project, column: str) -> Spread | None:
    """Of a column that is selected, or computed from one; another one becomes event time where the node retimes."""
    upstream = node.inputs[0]
    retime = node.retime
    item = next(e for e, name in node.items if name == column)
    tree: exp.Expr = exp.maybe_parse(item, dialect="duckdb")
    if retime is not None and is_column(tree, {retime}):
        return Spread()
    found = _computed(tree, upstream)
    by = spread(upstream, retime) if retime is not None else Spread()
    return None if found is None or by is None else found.later(-by.most_us, -by.least_us)


def _computed(tree: exp.Expr, node: Node) -> Spread | None:
    """Of an expression that `buckets.lag_of` takes for event time."""
    tree = tree.unnest()
    column = is_column(tree, node.time)
    if column is not None:
        return spread(node, column)
    if text(tree) == text(stream_time()):
        return Spread()
    if isinstance(tree, exp.Add | exp.Sub):
        shift, base = interval_us(tree.right.unnest()), _computed(tree.left, node)
        shift = shift if shift is None or isinstance(tree, exp.Sub) else -shift
        return None if shift is None or base is None else base.later(shift, shift)
    bucket = bucket_of(tree, node.time)
    base = None if bucket is None else spread(node, bucket.by)
    return None if bucket is None or base is None else base.later(0, bucket.window.longest_us - 1)


def _renamed(node: Node, columns: tuple[tuple[str, str], ...], column: str) -> Spread | None:
    own = next((c for c, o in columns if o == column), None)
    return None if own is None else spread(node, own)


def _joined(node: IntervalJoin, column: str) -> Spread | None:
    """Event time of a pair is the later of both: what the other side is ahead comes on top."""
    for side, columns in enumerate((node.left_columns, node.right_columns)):
        found = _renamed(node.inputs[side], columns, column)
        if found is not None:
            return after_join(node.kind, side, node.low_us, node.high_us, found)
    return None


def after_join(kind: str, side: int, low_us: int, high_us: int, own: Spread) -> Spread:
    """The spread in an interval join's output of a column of its left (0) or right (1) input."""
    if kind in ("semi", "anti"):
        return own
    least, most = (-high_us, -low_us) if side == 0 else (low_us, high_us)
    alone = kind != "inner"  # rows without a match keep their own event time
    return own.later(0 if alone else max(0, least), max(0, most))


def retimed(node: Node, by: str) -> Node:
    """The node with the column `by`, which follows event time, as its event time."""
    if (spread(node, by) or Spread()).exact:
        return node
    items = tuple((text(named(c)), c) for c in node.columns)
    made = Project(
        inputs=(node,), columns=node.columns, pos=node.pos, time=dict.fromkeys(node.time, 0), items=items, retime=by
    )
    lags = {c: (spread(made, c) or Spread()).lag_us for c in node.time}
    return Project(inputs=(node,), columns=node.columns, pos=node.pos, time=lags, items=items, retime=by)
