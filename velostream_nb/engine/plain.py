"""Plain: a SELECT list of columns and arithmetic on doubles, without DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.engine.arrays import array_of, values_of
from velostream_nb.engine.formulas import computed, is_exact
from velostream_nb.engine.frames import Values
from velostream_nb.sql.formulas import Formula, arithmetic_of
from velostream_nb.sql.plan import Project


class Plain:
    """The rows of a Project.

    Args:
        sources: for each column that comes out, the place of the one that it is, or how it is computed.
        schema: of what comes out.
    """

    def __init__(self, sources: Sequence[int | Formula], schema: pa.Schema) -> None:
        self._sources = tuple(sources)
        self._schema = schema
        reads = [value for source in sources if isinstance(source, Formula) for value in source.values()]
        self._reads = tuple(dict.fromkeys(reads))

    @classmethod
    def of(cls, projects: Sequence[Project], given: pa.Schema, schema: pa.Schema) -> Plain | None:
        """None when DuckDB is needed.

        Args:
            given: of the rows.
            schema: of what DuckDB makes of them: columns, then the hidden ones, which stay as they are.
        """
        if len(projects) != 1 or projects[0].where or projects[0].joined or projects[0].row is not None:
            return None
        (project,) = projects
        names = {name: name for name in given.names}
        asked = {name: sql for sql, name in project.items}
        sources: list[int | Formula] = []
        for field in schema:
            source = _source(asked.get(field.name), field.name, names, given)
            kind = given.field(source).type if isinstance(source, int) else pa.float64()
            if source is None or field.type != kind:
                return None
            sources.append(source)
        return cls(sources, schema)

    def rows(self, rows: pa.Table) -> pa.Table:
        """The rows, in their order."""
        numbers = {read: _doubles(values_of(rows.column(read.column))) for read in self._reads}
        columns = [
            rows.column(source)
            if isinstance(source, int)
            else array_of(computed(source, numbers, rows.num_rows), pa.float64())
            for source in self._sources
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _source(sql: str | None, name: str, names: dict[str, str], given: pa.Schema) -> int | Formula | None:
    if sql is None:  # a hidden column
        return int(given.get_field_index(name)) if name in names else None
    for own in names:
        if sql == f'"{own}"':
            return int(given.get_field_index(own))
    formula = arithmetic_of(sql, names)
    return formula if formula is not None and is_exact(formula, (given, given)) else None


def _doubles(values: Values) -> Values:
    return Values(values.numbers.astype(np.float64, copy=False), values.valid)
