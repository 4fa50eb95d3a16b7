"""Plain: SELECT lists of a few kinds of expressions, without DuckDB.

A statement costs as much as a thousand rows do, and most batches that pass a condition are of a few rows. What is
computed here is what DuckDB computes, to the last bit: types are those that DuckDB gives, and each list is tried beside
DuckDB, on awkward values, before it is relied on. Whatever is not known to be the same is DuckDB's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import array_of, texts, values_of
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.formulas import computed, extreme_type, is_exact
from velostream_nb.sql.expressions import Case, Expression, expressions_of
from velostream_nb.sql.formulas import Formula, Value
from velostream_nb.sql.plan import Project


class Plain:
    """The rows of a Project.

    Args:
        columns: what makes each column that comes out.
        schema: of what comes out.
    """

    def __init__(self, columns: Sequence[Column], schema: pa.Schema) -> None:
        self._columns = tuple(columns)
        self._schema = schema

    @classmethod
    def of(cls, projects: Sequence[Project], given: pa.Schema, schema: pa.Schema) -> Plain | None:
        """None when DuckDB is needed. The rows must have passed the Project's condition.

        Args:
            given: of the rows.
            schema: of what DuckDB makes of them: columns, then the hidden ones, which stay as they are.
        """
        if len(projects) != 1 or projects[0].joined or projects[0].row is not None:
            return None
        (project,) = projects
        known = expressions_of(project.items, given.names)
        if known is None:
            return None
        columns = [_column(known.get(field.name, Value(0, field.name)), given, field.type) for field in schema]
        made = [column for column in columns if column is not None]
        return cls(made, schema) if len(made) == len(columns) else None

    def rows(self, rows: pa.Table) -> pa.Table:
        """The rows, in their order."""
        return pa.Table.from_arrays([column.of(rows) for column in self._columns], schema=self._schema)


class Column:
    """One of the columns that come out: one of those that went in."""

    def __init__(self, name: str) -> None:
        self._name = name

    def of(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray:
        return rows.column(self._name)


class _Computed(Column):
    """Numbers."""

    def __init__(self, formula: Formula, dtype: pa.DataType) -> None:
        self._formula = formula
        self._type = dtype
        self._reads = formula.values()

    def of(self, rows: pa.Table) -> pa.Array:
        numbers = {read: values_of(rows.column(read.column)) for read in self._reads}
        return array_of(computed(self._formula, numbers, rows.num_rows), self._type)


class _Chosen(Column):
    """Texts, by conditions."""

    def __init__(self, checks: Sequence[Check], results: Sequence[str], otherwise: str | None) -> None:
        self._checks = tuple(checks)
        last = pa.nulls(1, pa.string()) if otherwise is None else texts([otherwise])
        self._results = pa.concat_arrays([texts(results), last])

    def of(self, rows: pa.Table) -> pa.Array:
        chosen: npt.NDArray[np.int64] = np.full(rows.num_rows, len(self._results) - 1, dtype=np.int64)
        for place in reversed(range(len(self._checks))):
            chosen[self._checks[place].passes(rows)] = place
        return self._results.take(pa.array(chosen))


def _column(expression: Expression, given: pa.Schema, dtype: pa.DataType) -> Column | None:
    """None when it is DuckDB's, or of another type than DuckDB gives."""
    both = given, given
    if isinstance(expression, Value):
        there = expression.column in given.names and given.field(expression.column).type == dtype
        return Column(expression.column) if there else None
    if isinstance(expression, Formula):
        kind = pa.float64() if is_exact(expression, both) else extreme_type(expression, both)
        return _Computed(expression, dtype) if kind is not None and kind == dtype else None
    if isinstance(expression, Case) and pa.types.is_string(dtype):
        checks = [Check.of(condition, given) for condition, _ in expression.branches]
        exact = [check for check in checks if check is not None and check.exact]
        results = [result for _, result in expression.branches]
        if len(exact) == len(checks):
            return _Chosen(exact, results, expression.otherwise)
    return None
