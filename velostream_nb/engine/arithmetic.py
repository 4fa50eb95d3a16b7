"""Arithmetic over the columns of a batch in numpy, bit for bit as DuckDB computes it, or not at all.

A part of a formula is a DOUBLE, or a whole number of so many decimal places: an integer has none, a DECIMAL is a whole
number of its last place. DOUBLE is IEEE 754's in both; whatever meets one becomes one, and so do whole numbers that are
divided. Other whole numbers are exact as long as nothing leaves 64 bits, or the narrowest type in which DuckDB may hold
it. How far from 0 the columns may be for that is found before the first row; a batch that goes further is DuckDB's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.arrays import number_type, scale_of
from velostream_nb.engine.doubles import rounded
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.parts import (
    COMPARISONS,
    DECIMAL,
    INT64,
    MOST_DIGITS,
    Evaluate,
    Part,
    Span,
    chosen_first,
    combined,
    comparison,
    extreme,
    is_within,
    of_literal,
)
from velostream_nb.engine.reading import Found, OutOfReachError, Reading
from velostream_nb.sql.formulas import Formula, Literal, Operand, Value

_HUGE: Span = -(1 << 127), (1 << 127) - 1
_BITS = range(6, 65)
"""How far from 0 columns may be, as powers of 2: nearer is not worth it, at the last all of 64 bits are."""
_ROUNDED = range(16)
"""Digits that ROUND may leave."""


@dataclass(frozen=True, slots=True)
class Computation:
    """A formula over columns of one schema.

    Attributes:
        evaluate: its values, a row each; OutOfReachError when some value of a column is too far from 0.
        reach: how far from 0 the values of a column may be, where that matters.
    """

    evaluate: Evaluate
    reach: Mapping[str, int]

    def where(self, rows: Reading) -> Mask:
        """Of a comparison: where it is true."""
        found: Mask = self.evaluate(rows)[0].astype(np.bool_, copy=False)
        return found


def computation(formula: Formula, schema: pa.Schema, dtype: pa.DataType) -> Computation | None:
    """The formula as DuckDB computes it; None where that is not known, or is of another type.

    Args:
        dtype: the type that DuckDB gives it.
    """
    there = _range_of(dtype)

    def fits(part: Part) -> bool:
        if part.kind == "whole":
            return there is not None and part.places == scale_of(dtype) and is_within(part.span, there)
        return part.dtype == dtype if part.kind == "time" else part.kind == "double" and pa.types.is_float64(dtype)

    return _widest(formula, schema, fits)


def truth(formula: Formula, schema: pa.Schema) -> Computation | None:
    """Where a comparison is true in DuckDB, which it is not where it is NULL; None where that is not known."""
    return _widest(formula, schema, lambda part: part.kind == "truth")


def _widest(formula: Formula, schema: pa.Schema, fits: Callable[[Part], bool]) -> Computation | None:
    """With the columns as far from 0 as they may be."""

    def within(bits: int) -> Computation | None:
        builder = _Builder(schema, (1 << bits) - 1)
        part = builder.part(formula)
        return Computation(part.evaluate, builder.reach) if part is not None and fits(part) else None

    low, high = _BITS.start, _BITS.stop - 1
    found = within(high)
    if found is not None:
        return found
    found = within(low)
    while found is not None and high - low > 1:
        middle = (low + high) // 2
        wider = within(middle)
        if wider is None:
            high = middle
        else:
            found, low = wider, middle
    return found


class _Builder:
    """Builds what computes formulas.

    Args:
        most: so far from 0 the values of columns of whole numbers may be.

    Attributes:
        reach: see `Computation`.
    """

    def __init__(self, schema: pa.Schema, most: int) -> None:
        self._schema = schema
        self._most = most
        self.reach: dict[str, int] = {}

    def part(self, operand: Operand) -> Part | None:
        """None where it is DuckDB's, or may go too far."""
        if isinstance(operand, Literal):
            return of_literal(operand)
        if isinstance(operand, Value):
            return self._column(operand.column)
        if operand.sign == "round":
            return self._rounded(*operand.parts)
        parts = [part for inner in operand.parts if (part := self.part(inner)) is not None]
        if len(parts) < len(operand.parts) or all(part.literal is not None for part in parts):
            return None  # literals among themselves have types of their own
        if operand.sign == "coalesce":
            return chosen_first(parts)
        if operand.sign in ("least", "greatest"):
            return extreme(operand.sign, parts)
        return (comparison if operand.sign in COMPARISONS else combined)(operand.sign, parts)

    def _column(self, name: str) -> Part | None:
        dtype = self._schema.field(name).type
        if pa.types.is_float64(dtype):
            return Part("double", lambda rows: rows.numbers(name))
        if pa.types.is_float32(dtype):
            return Part("other", lambda rows: rows.numbers(name), doubles=lambda rows: rows.doubles(name))
        if pa.types.is_timestamp(dtype):
            return Part("time", lambda rows: rows.numbers(name), dtype=dtype)
        there = _range_of(dtype)
        readable = dtype == HUGEINT or number_type(dtype) is not None
        return self._wholes(name, dtype, there) if readable and there is not None else None

    def _wholes(self, name: str, dtype: pa.DataType, there: Span) -> Part | None:
        """A column of whole numbers."""
        integer = pa.types.is_integer(dtype)
        doubles: Evaluate | None = (lambda rows: rows.doubles(name)) if integer else None
        span = max(there[0], -self._most), min(there[1], self._most)
        if not is_within(span, INT64):
            return None if doubles is None else Part("other", doubles, doubles=doubles)
        scale, decimal = scale_of(dtype), not integer and dtype != HUGEINT
        digits = len(str(there[1])) - scale
        if integer and span == there:
            return Part("whole", _narrow(name), 0, span, there, False, digits, doubles)
        self.reach[name] = self._most
        room = DECIMAL if decimal else there
        return Part("whole", _bounded(name, span), scale, span, room, decimal, min(digits, MOST_DIGITS), doubles)

    def _rounded(self, operand: Operand, digits: Operand) -> Part | None:
        if not isinstance(digits, Literal) or digits.places != 0 or digits.digits not in _ROUNDED:
            return None
        inner = self.part(operand)
        if inner is None or inner.kind != "double" or inner.literal is not None:
            return None
        given, unit = inner.evaluate, 10.0**digits.digits

        def evaluate(rows: Reading) -> Found:
            numbers, valid = given(rows)
            return rounded(numbers, unit), valid

        return Part("double", evaluate)


def _range_of(dtype: pa.DataType) -> Span | None:
    """All values of a type of whole numbers, in units of their last place.

    None of other types.
    """
    if dtype == HUGEINT:
        return _HUGE
    if pa.types.is_decimal128(dtype):
        most = 10**dtype.precision - 1
        return -most, most
    if not pa.types.is_integer(dtype):
        return None
    bounds = np.iinfo(dtype.to_pandas_dtype())
    return int(bounds.min), int(bounds.max)


def _narrow(name: str) -> Evaluate:
    """A column of integers that cannot be too far from 0."""

    def evaluate(rows: Reading) -> Found:
        numbers, valid = rows.numbers(name)
        return numbers.astype(np.int64, copy=False), valid

    return evaluate


def _bounded(name: str, span: Span) -> Evaluate:
    least, greatest = span

    def evaluate(rows: Reading) -> Found:
        numbers, valid, low, high = rows.wholes(name)
        if low < least or high > greatest:
            raise OutOfReachError
        return numbers, valid

    return evaluate
