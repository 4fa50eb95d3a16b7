"""Shortcut: what of Projects can be done without a statement: rows left out, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.engine.arrays import array_of, number_type, texts, values_of, whole
from velostream_nb.engine.duck import EvaluationError
from velostream_nb.engine.frames import Mask, Values
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.prefilter import Prefilter
from velostream_nb.sql.plan import Project

_ROWS = 211
"""Of a trial; a prime, so that values of different columns meet in many pairs."""
_DOUBLES = [
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 0.005, 2.675, -0.125, 100.0, 99.995, 1e4, -123456.785, 1e6, 500000.01),
    *(2.0**52 + 0.5, 2.0**53, 1e16, 1e300, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
]
_WHOLE = [0, 1, -1, 2, 3, 7, 20, 100, -128, 127, 10_000, -32_768, 1_000_000, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1]


class Shortcut:
    """Of Projects, one above another, over the rows below them.

    Args:
        given: the schema of the rows.
        schema: of what comes out.
        statement: the same by DuckDB.
    """

    def __init__(
        self,
        projects: Sequence[Project],
        given: pa.Schema,
        schema: pa.Schema,
        statement: Callable[[pa.Table], pa.Table],
    ) -> None:
        self._prefilter = Prefilter.of(projects, given)
        self._nothing = no_rows(schema)
        self._plain = Plain.of(projects, given, schema)
        if any(project.where for project in projects) and not (self._prefilter and self._prefilter.exact):
            self._plain = None
        if self._plain is not None and not self._is_true(given, statement):
            self._plain = None

    def taken(self, rows: pa.Table) -> tuple[pa.Table, bool]:
        """(the rows that come out, True); or (those that are left for the statement, False)."""
        if self._plain is not None:
            if self._prefilter is not None and rows.num_rows:
                rows = self._prefilter.chosen(rows)
            return (self._plain.rows(rows) if rows.num_rows else self._nothing), True
        if self._prefilter is not None and rows.num_rows:
            rows = self._prefilter.passing(rows)
        return (rows, False) if rows.num_rows else (self._nothing, True)

    def _is_true(self, given: pa.Schema, statement: Callable[[pa.Table], pa.Table]) -> bool:
        """Is it what this very DuckDB gives? Tried once, because another version may round in another way."""
        trial = _trial(given)
        try:
            expected = statement(trial)
        except EvaluationError:
            return False
        found, _ = self.taken(trial)
        return found.num_rows == expected.num_rows and all(map(_same, found.columns, expected.columns))


def _trial(schema: pa.Schema) -> pa.Table:
    """Rows of awkward values; of types that nothing here computes with, NULLs."""
    columns = [_awkward(field.type, place) for place, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


def _awkward(dtype: pa.DataType, place: int) -> pa.Array:
    picked = np.arange(_ROWS) * (place + 1) + np.arange(_ROWS) // 17 * place
    kind = number_type(dtype)
    if pa.types.is_string(dtype):
        words = pa.concat_arrays([texts(["", "a", "BUY", "SELL", "b c", "Ä"]), pa.nulls(1, pa.string())])
        return words.take(pa.array(picked % len(words)))
    if kind is None:
        return pa.nulls(_ROWS, dtype)
    if kind.kind == "f":
        numbers = np.array(_DOUBLES, dtype=np.float64)
        with np.errstate(over="ignore"):
            numbers = numbers.astype(kind)
    else:
        bounds = np.iinfo(kind)  # type: ignore[type-var]  # integers are the other kind of numbers
        numbers = np.array([n for n in _WHOLE if bounds.min <= n <= bounds.max], dtype=kind)
        if pa.types.is_decimal(dtype) or pa.types.is_temporal(dtype):
            numbers = numbers[np.abs(numbers.astype(np.float64)) < 10**6]
    return array_of(Values(numbers[picked % len(numbers)], (picked + place) % 11 > 0), dtype)


def _same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """To the last bit; of NaNs only that they are."""
    first, second = whole(one), whole(other)
    if number_type(first.type) is None or not pa.types.is_floating(first.type):
        return bool(first.equals(second))
    a, b = values_of(first), values_of(second)
    valid = _valid(a)
    if not np.array_equal(valid, _valid(b)):
        return False
    left, right = a.numbers[valid], b.numbers[valid]
    bits = np.dtype(f"i{left.dtype.itemsize}")
    return bool(((left.view(bits) == right.view(bits)) | (np.isnan(left) & np.isnan(right))).all())


def _valid(values: Values) -> Mask:
    return np.ones(len(values), dtype=np.bool_) if values.valid is None else values.valid
