"""Plain: SELECT lists of a few kinds of expressions, without DuckDB.

A statement costs as much as a thousand rows do, and most batches that pass a condition are of a few rows. What is
computed here is what DuckDB computes, to the last bit: types are those that DuckDB gives, and each list is tried beside
DuckDB, on awkward values, before it is relied on. Whatever is not known to be the same is DuckDB's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.vectors import vector
from velostream_nb.engine.arithmetic import Computation, computation
from velostream_nb.engine.arrays import array_of, texts
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.frames import Values
from velostream_nb.engine.reading import Reading, nearest
from velostream_nb.sql.conditions import columns_of
from velostream_nb.sql.expressions import Case, Expression, expressions_of
from velostream_nb.sql.formulas import Formula, Value
from velostream_nb.sql.plan import Project


class Plain:
    """The rows of a Project.

    Args:
        columns: what makes each column that comes out.
        schema: of what comes out.

    Attributes:
        kept: columns of the rows that it needs as they are.
        computed: columns that it needs as numbers.
        reach: how far from 0 the values of a column may be, where that matters.
    """

    def __init__(self, columns: Sequence[Column], schema: pa.Schema) -> None:
        self._columns = tuple(columns)
        self._schema = schema
        self.kept = tuple(dict.fromkeys(name for column in columns for name in column.kept))
        self.computed = tuple(dict.fromkeys(name for column in columns for name in column.computed))
        self.reach = nearest(column.reach for column in columns)

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

    def rows(self, rows: Reading) -> pa.Table:
        """The rows, in their order; OutOfReachError when they are DuckDB's."""
        with np.errstate(all="ignore"):
            return pa.Table.from_arrays([column.of(rows) for column in self._columns], schema=self._schema)


class Column:
    """One of the columns that come out: one of those that went in.

    Attributes:
        kept, computed, reach: see `Plain`.
    """

    kept: Sequence[str] = ()
    computed: Sequence[str] = ()
    reach: Mapping[str, int] = MappingProxyType({})

    def __init__(self, name: str) -> None:
        self._name = name
        self.kept = (name,)

    def of(self, rows: Reading) -> pa.Array | pa.ChunkedArray:
        return rows.rows.column(self._name)


class _Computed(Column):
    """Numbers."""

    def __init__(self, formula: Formula, made: Computation, dtype: pa.DataType) -> None:
        self._evaluate = made.evaluate
        self._type = dtype
        self.computed = [value.column for value in formula.values()]
        self.reach = made.reach

    def of(self, rows: Reading) -> pa.Array:
        numbers, valid = self._evaluate(rows)
        return array_of(Values(numbers, valid), self._type)


class _Chosen(Column):
    """Texts, by conditions."""

    def __init__(self, case: Case, checks: Sequence[Check]) -> None:
        self._tests = tuple(check.test for check in checks)
        last = pa.nulls(1, pa.string()) if case.otherwise is None else texts([case.otherwise])
        self._results = pa.concat_arrays([texts([result for _, result in case.branches]), last])
        self.kept = [name for condition, _ in case.branches for name in columns_of(condition)]
        self.reach = nearest(check.reach for check in checks)

    def of(self, rows: Reading) -> pa.Array:
        chosen: npt.NDArray[np.int64] = np.full(rows.rows.num_rows, len(self._tests), dtype=np.int64)
        for place in reversed(range(len(self._tests))):
            chosen[self._tests[place](rows)] = place
        return self._results.take(vector(chosen))


def _column(expression: Expression, given: pa.Schema, dtype: pa.DataType) -> Column | None:
    """None when it is DuckDB's, or of another type than DuckDB gives."""
    if isinstance(expression, Value):
        there = expression.column in given.names and given.field(expression.column).type == dtype
        return Column(expression.column) if there else None
    if isinstance(expression, Formula):
        made = computation(expression, given, dtype)
        return None if made is None else _Computed(expression, made, dtype)
    if isinstance(expression, Case) and pa.types.is_string(dtype):
        checks = [Check.of(condition, given, tried=True) for condition, _ in expression.branches]
        exact = [check for check in checks if check is not None and check.exact]
        return _Chosen(expression, exact) if len(exact) == len(checks) else None
    return None
