"""What an aggregation over windows keeps until a window is over: partial states, or rows where states do not do."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.core.errors import BindError
from velostream_nb.engine.delta import WM
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.node import Operator, shown
from velostream_nb.sql import plan

_SAMPLE_ROWS = 1_000
"""So many rows are looked at to tell how many bytes a state table holds."""


class Partials:
    """A table of partial results: some columns that place them, the keys, then a state an aggregate.

    Aggregates whose states DuckDB cannot export (`mode`, `histogram`) or that need all values in order (`list`,
    DISTINCT) keep their input rows instead, with the columns that place them, until the window is over.

    Attributes:
        feed: the rows to take in: the input's columns and `WM`.
        table: name of the native table.
        keys: names of the key columns.
        keeps_rows: rows are kept, not states.
    """

    def __init__(self, duck: Duck, node: plan.Grouped, upstream: Operator) -> None:
        self.duck = duck
        self.node = node
        self.feed = duck.feed(upstream.schema.append(pa.field(WM, pa.int64())))
        self.keys = [name for _, name in node.keys]
        self._names = [name for _, name in node.aggregates]
        self._kept = [n for n in upstream.schema.names if n not in self.keys and n != WM]
        self.keeps_rows = False
        self.keeps_rows = not node.mergeable or not self._exports()
        calls = ", ".join(call for call, _ in node.aggregates)
        # kept rows are aggregated when their window is over: what cannot be computed must show when it comes
        self._check = duck.prepare(f"SELECT {calls} FROM {self.feed.name} AS __in") if self.keeps_rows else None

    def _exports(self) -> bool:
        """Can DuckDB export the states of all the aggregates?"""
        try:
            self.duck.schema_of(self.partial_sql([]))
        except BindError as error:
            if "export" not in error.message.lower():
                raise
            return False
        return True

    # -- SQL --------------------------------------------------------------------------------------------------------

    def partial_sql(self, places: Sequence[tuple[str, str]], relation: str = "", grouped: Sequence[str] = ()) -> str:
        """The rows of `feed` as partial results.

        Args:
            places: (expression, name) of the columns that place them.
            relation: what is read instead of the feed: its rows with more columns.
            grouped: names of `places`, and further columns of the relation, that split the groups.
        """
        items = [f"{e} AS {quote(n)}" for e, n in places]
        items += [e if e == quote(n) else f"{e} AS {quote(n)}" for e, n in self.node.keys]
        source = f"{relation or self.feed.name} AS __in"
        if self.keeps_rows:
            return f"SELECT {', '.join([*items, *(quote(c) for c in self._kept)])} FROM {source}"
        items += [f"{call} EXPORT_STATE AS {quote(name)}" for call, name in self.node.aggregates]
        by = [*grouped, *(e for e, _ in self.node.keys)]
        return f"SELECT {', '.join(items) or 'NULL'} FROM {source}" + (f" GROUP BY {', '.join(by)}" if by else "")

    def finals_sql(self) -> str:
        """``value AS name`` of every aggregate, over partial results; a comma before each."""
        if self.keeps_rows:
            return "".join(f", {call} AS {quote(name)}" for call, name in self.node.aggregates)
        return "".join(f", finalize(combine_aggr({quote(n)})) AS {quote(n)}" for n in self._names)

    def merged_sql(self) -> str:
        """``state AS name`` of every aggregate, over partial results; a comma before each."""
        return "".join(f", combine_aggr({quote(n)}) AS {quote(n)}" for n in self._names)

    def keys_sql(self) -> str:
        """The key columns, a comma before each."""
        return "".join(f", {quote(k)}" for k in self.keys)

    def selected_sql(self) -> str:
        """Keys, values, GROUPING() calls and the set a row belongs to, over partial results; a comma before each."""
        node = self.node
        calls = "".join(f", grouping({quoted(keys)}) AS {quote(name)}" for name, keys in node.groupings)
        which = f", grouping({quoted(self.keys)}) AS {quote(plan.GROUPING)}" if node.sets else ""
        return f"{self.keys_sql()}{self.finals_sql()}{calls}{which}"

    def grouped_sql(self, *place: str) -> str:
        """GROUP BY the columns that place a window, and every set of keys."""
        if not self.node.sets:
            return f"GROUP BY {', '.join([*place, *map(quote, self.keys)])}"
        sets = ", ".join(f"({', '.join([*place, *map(quote, keys)])})" for keys in self.node.sets)
        return f"GROUP BY GROUPING SETS ({sets})"

    # -- state ------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """EvaluationError when kept rows of the feed cannot be aggregated."""
        if self._check is not None:
            self._check.rows()


def describe_groups(node: plan.Grouped) -> str:
    """The keys and the aggregates, for people."""
    keys = ", ".join(shown(e) for e, _ in node.keys) or "()"
    if node.sets:
        keys = "grouping sets " + ", ".join(f"({', '.join(s)})" for s in node.sets)
    calls = ", ".join(shown(c) for c, _ in node.aggregates) or "count(*)"
    return f"{keys}: {calls}"


def bytes_held(duck: Duck, tables: Sequence[str]) -> int:
    """About how many bytes the rows of native tables take, measured on some of them."""
    total = 0
    for table in tables:
        rows = int(duck.value(f"SELECT count(*) FROM {table}"))
        if rows:
            sample = duck.arrow(f"SELECT * FROM {table} LIMIT {_SAMPLE_ROWS}")
            total += sample.nbytes * rows // sample.num_rows
    return total
