"""Operators that add columns to their rows, computed on arrays; DuckDB computes what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.records import no_rows
from velostream_nb.engine.delta import Account
from velostream_nb.engine.duck import Duck, quoted
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.sql import plan

_READY = "__ready"
"""Hidden column, boolean: the row is to be given now."""


class Added(Operator):
    """The rows of its input with more columns, as far as they are ready.

    Rows that wait are computed along: what fails does so in the tick that brings it, while its row can be set aside.

    Args:
        added: the new columns; the node's last ones.
        may_wait: rows may have to wait.

    Attributes:
        held: rows that wait, in order.
    """

    fuses = True

    def __init__(
        self,
        node: plan.Node,
        duck: Duck,
        account: Account,
        upstream: Operator,
        added: Sequence[pa.Field],
        *,
        then: tuple[plan.Project, ...],
        may_wait: bool,
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self.may_wait = may_wait
        self.held = no_rows(upstream.schema)
        columns = [*node.columns, *hidden_of(node)]
        every = pa.schema([*upstream.schema, *added])
        self._every = every.append(pa.field(_READY, pa.bool_())) if may_wait else every
        self._places = [every.get_field_index(name) for name in columns]
        self.schema = pa.schema([every.field(place) for place in self._places])
        if then:
            self._compile(columns)

    def _compile(self, columns: list[str]) -> None:
        """One statement for all the Projects taken."""
        self._feed = self.duck.feed(self._every)
        extra = f", {_READY}" if self.may_wait else ""
        sql = self.projected(f"SELECT {quoted(columns)}{extra} FROM {self._feed.name} AS __in", extra)
        self.schema = pa.schema([field for field in self.duck.schema_of(sql) if field.name != _READY])
        self._statement = self.duck.prepare(sql)

    def answer(self, rows: pa.Table, columns: Sequence[pa.Array], ready: Mask | None) -> pa.Table:
        """The rows that are ready (None: all), with the new columns, as the Projects taken want them."""
        waits = ready is not None and not ready.all()
        given = [*rows.columns, *columns]
        if not self.then:
            out = pa.Table.from_arrays([given[place] for place in self._places], schema=self.schema)
            return out.filter(pa.array(ready)) if waits else out
        if self.may_wait:
            given.append(pa.array(ready) if ready is not None else pa.repeat(True, rows.num_rows))
        self._feed.rows = pa.Table.from_arrays(given, schema=self._every)
        out = self._statement.rows()
        if not self.may_wait:
            return out
        last = len(self.schema)
        return (out.filter(out.column(last)) if waits else out).remove_column(last)

    def hold(self, rows: pa.Table, ready: Mask | None) -> None:
        """Let the rows that are not ready wait."""
        waits = ready is not None and not ready.all()
        self.held = rows.filter(pc.invert(pa.array(ready))).combine_chunks() if waits else rows.slice(0, 0)
