"""Operators that add columns to their rows, computed on arrays; DuckDB computes what is made of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.records import no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.engine.projection import Projection
from velostream_nb.sql import plan


class Added(Operator):
    """The rows of its input with more columns, as far as they are ready.

    Args:
        added: the new columns; the node's last ones.

    Attributes:
        held: rows that wait, in order.
        nothing: no rows, of `schema`.
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
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self.held = no_rows(upstream.schema)
        every = pa.schema([*upstream.schema, *added])
        self._places = [every.get_field_index(name) for name in (*node.columns, *hidden_of(node))]
        self._own = pa.schema([every.field(place) for place in self._places])
        self._projection = Projection(self, self._own) if then else None
        self.schema = self._projection.schema if self._projection else self._own
        self.nothing = no_rows(self.schema)
        self._none_held = self.held

    def answer(self, rows: pa.Table, columns: Sequence[pa.Array], ready: Mask | None) -> pa.Table:
        """The rows that are ready (None: all), with the new columns, as the Projects taken want them.

        Rows that are not are held from here on.
        """
        given = [*rows.columns, *columns]
        out = pa.Table.from_arrays([given[place] for place in self._places], schema=self._own)
        if ready is not None and not ready.all():
            out = out.filter(vector(ready))
            self.held = rows.filter(pc.invert(vector(ready))).combine_chunks()
        else:
            self.held = self._none_held
        return out if self._projection is None else self._projection.rows(out)
