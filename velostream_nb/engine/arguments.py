"""Expressions over an operator's input: its own columns as they stand, plain conditions in numpy, the rest by DuckDB.

All that only DuckDB can compute comes from one statement; where nothing is left for it, none is run, and no row can be
at fault.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.vectors import flags_in
from velostream_nb.engine.arrays import whole
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.frames import Mask
from velostream_nb.sql.conditions import condition_of


class Arguments:
    """Values of expressions, a row for each row of a feed.

    Args:
        feed: the rows; its schema says the columns.
        expressions: SQL over it, each once or several times.
        conditions: expressions of which it matters only where they are true.

    Attributes:
        types: the Arrow type of each expression, and of each condition.
    """

    def __init__(self, duck: Duck, feed: Feed, expressions: Sequence[str], conditions: Sequence[str] = ()) -> None:
        self._feed = feed
        schema = feed.schema
        self._checks = _checks(conditions, schema)
        self._names = {quote(name): name for name in schema.names}
        self.types = dict.fromkeys(self._checks, pa.bool_())
        self.types |= {e: schema.field(self._names[e]).type for e in (*expressions, *conditions) if e in self._names}
        rest = [e for e in dict.fromkeys((*expressions, *conditions)) if e not in self.types]
        # an expression may be an argument and a condition
        rest += [e for e in dict.fromkeys(expressions) if e in self._checks]
        self._statement = None
        if rest:
            named = {e: f"__e{i}" for i, e in enumerate(rest)}
            self._statement = duck.prepare(
                f"SELECT {', '.join(f'{e} AS {n}' for e, n in named.items())} FROM {feed.name} AS __in"
            )
            self._computed = list(duck.schema_of(self._statement.sql))
            self._names |= named
            self.types |= dict(zip(rest, (f.type for f in self._computed), strict=True))

    def over(self, rows: pa.Table) -> pa.Table:
        """The rows with what only DuckDB can compute beside them; EvaluationError when it cannot."""
        if self._statement is None:
            return rows
        self._feed.rows = rows
        found = self._statement.rows()
        schema = pa.schema([*rows.schema, *self._computed])
        return pa.Table.from_arrays([*rows.columns, *found.columns], schema=schema)

    def column(self, rows: pa.Table, expression: str) -> pa.ChunkedArray:
        """The values of an expression.

        Args:
            rows: what `over` gave.
        """
        return rows.column(self._names[expression])

    def holds(self, rows: pa.Table, condition: str) -> Mask:
        """Where a condition is true.

        Args:
            rows: what `over` gave.
        """
        check = self._checks.get(condition)
        if check is not None:
            return check.passes(rows)
        found = whole(self.column(rows, condition))
        if found.null_count:
            found = pc.fill_null(found, fill_value=False)
        return flags_in(found)


def _checks(conditions: Sequence[str], schema: pa.Schema) -> dict[str, Check]:
    """The conditions that numpy says for the very rows for which DuckDB does."""
    names = {name: name for name in schema.names}
    found = {c: Check.of(condition_of(c, names), schema) for c in dict.fromkeys(conditions)}
    return {c: check for c, check in found.items() if check is not None and check.exact}
