"""Projection: the Projects that an operator has taken, over rows of its own that are computed already.

What an operator keeps does not depend on what is made of its rows above it. A row whose SELECT list cannot be computed
is set aside alone; it has come all the same, and stays what later rows look back at.
"""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.engine.delta import concat
from velostream_nb.engine.duck import EvaluationError, quoted
from velostream_nb.engine.isolate import Halving
from velostream_nb.engine.node import Operator
from velostream_nb.engine.shortcut import Shortcut


class Projection:
    """One statement for all the Projects that an operator has taken.

    Args:
        schema: of the operator's rows: the columns of its node, then its hidden ones.

    Attributes:
        schema: of what comes out.
    """

    def __init__(self, operator: Operator, schema: pa.Schema) -> None:
        self._account = operator.account
        self._feed = operator.duck.feed(schema)
        sql = operator.projected(f"SELECT {quoted(schema.names)} FROM {self._feed.name} AS __in")
        self.schema = operator.duck.schema_of(sql)
        self._statement = operator.duck.prepare(sql)
        self._shortcut = Shortcut(operator.then, schema, self.schema, self._evaluated)

    def rows(self, rows: pa.Table) -> pa.Table:
        """The Projects over the operator's rows; those that cannot be computed are left to the account."""
        rows, done = self._shortcut.taken(rows)
        if done:
            return rows
        try:
            return self._evaluated(rows)
        except EvaluationError:
            halving = Halving(self._evaluated, lambda row, reason: self._account.failed.append((row, reason)))
            halving.feed(rows)
            return concat([no_rows(self.schema), *halving.outputs])

    def _evaluated(self, rows: pa.Table) -> pa.Table:
        self._feed.rows = rows
        return self._statement.rows()
