"""Expressions over an operator's input: its own columns as they stand, the others computed by one statement."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.engine.duck import Duck, Feed, quote


class Arguments:
    """Values of expressions, a row for each row of a feed.

    Args:
        feed: the rows; its schema says the columns.
        expressions: SQL over it, each once or several times.

    Attributes:
        types: the Arrow type of each expression.
    """

    def __init__(self, duck: Duck, feed: Feed, expressions: Sequence[str]) -> None:
        self._feed = feed
        plain = {quote(name): name for name in feed.schema.names}
        self._plain = {e: plain[e] for e in expressions if e in plain}
        self._computed = [e for e in dict.fromkeys(expressions) if e not in plain]
        self.types = {e: feed.schema.field(name).type for e, name in self._plain.items()}
        self._statement = None
        if self._computed:
            items = ", ".join(f"{e} AS {quote(f'__e{i}')}" for i, e in enumerate(self._computed))
            self._statement = duck.prepare(f"SELECT {items} FROM {feed.name} AS __in")
            found = duck.schema_of(self._statement.sql)
            self.types |= dict(zip(self._computed, found.types, strict=True))

    def columns(self, rows: pa.Table) -> dict[str, pa.ChunkedArray]:
        """The values by expression; EvaluationError when DuckDB cannot compute one."""
        found = {e: rows.column(name) for e, name in self._plain.items()}
        if self._statement is not None:
            self._feed.rows = rows
            found |= dict(zip(self._computed, self._statement.rows().columns, strict=True))
        return found
