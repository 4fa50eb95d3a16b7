"""Formulas over rows, or pairs of rows, in numpy, where they are the same to the last bit as DuckDB's.

Arithmetic on DOUBLE is IEEE 754's in both. DuckDB turns an integer or a literal that meets a DOUBLE into one. Formulas
in which anything else meets are left to DuckDB: integers may overflow, decimals have their own rules.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import values_of
from velostream_nb.engine.frames import Values
from velostream_nb.sql.formulas import Formula, Operand, Value

Doubles = npt.NDArray[np.float64]

_ROUNDED = frozenset(map(float, range(16)))
"""Digits that ROUND may leave."""

_ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
}


def is_exact(formula: Formula, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Is the formula computed here as DuckDB computes it?"""
    return _is_double(formula, schemas)


def extreme_type(formula: Formula, schemas: tuple[pa.Schema, pa.Schema]) -> pa.DataType | None:
    """The type of LEAST or GREATEST; None where it is not ours to compute: NaN has a place of its own, say."""
    if formula.sign not in ("least", "greatest"):
        return None
    kinds = [schemas[v.side].field(v.column).type for v in formula.parts if isinstance(v, Value)]
    same = len(kinds) == len(formula.parts) and all(kind == kinds[0] for kind in kinds)
    ours = pa.types.is_integer(kinds[0]) or pa.types.is_timestamp(kinds[0])
    return kinds[0] if same and ours else None


def _is_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Is the operand, or each that a comparison compares, surely DOUBLE arithmetic?"""
    if isinstance(part, float):
        return False
    if isinstance(part, Value):
        return bool(pa.types.is_float64(schemas[part.side].field(part.column).type))
    if part.sign in ("least", "greatest"):
        return False
    if part.sign == "round":
        inner, digits = part.parts
        return digits in _ROUNDED and _is_double(inner, schemas)
    doubles = [_is_double(inner, schemas) for inner in part.parts]
    return any(doubles) and all(
        double or _becomes_double(inner, schemas) for double, inner in zip(doubles, part.parts, strict=True)
    )


def _becomes_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Does DuckDB make a DOUBLE of it where it meets one?"""
    if isinstance(part, float):
        return True
    kind = schemas[part.side].field(part.column).type if isinstance(part, Value) else extreme_type(part, schemas)
    return kind is not None and bool(pa.types.is_integer(kind) or pa.types.is_float32(kind))


def doubles_of(column: pa.ChunkedArray) -> Doubles:
    """A column of numbers as doubles; anything where it is NULL."""
    return values_of(column).numbers.astype(np.float64, copy=False)


def holds(formula: Formula, values: Mapping[Value, Doubles]) -> npt.NDArray[np.bool_]:
    """Where a comparison is true, given the columns it reads, without NULLs."""
    with np.errstate(all="ignore"):
        one, other = (_computed(part, values) for part in formula.parts)
    return _compared(formula.sign, np.asarray(one), np.asarray(other))


def computed(formula: Formula, columns: Mapping[Value, Values], count: int) -> Values:
    """The doubles that arithmetic gives, or the numbers of LEAST and GREATEST; NULL where it is.

    Args:
        columns: numbers of their own types.
        count: so many rows.
    """
    with np.errstate(all="ignore"):
        found = _with_nulls(formula, columns)
    return Values(np.broadcast_to(found.numbers, count), found.valid)


def _with_nulls(part: Operand, columns: Mapping[Value, Values]) -> Values:
    if isinstance(part, float):
        return Values(np.float64(part))  # type: ignore[arg-type]  # broadcast by whatever it meets
    if isinstance(part, Value):
        return columns[part]
    if part.sign in ("least", "greatest"):
        return _extreme(part, columns)
    parts = [_with_nulls(inner, columns) for inner in part.parts]
    doubles = [Values(p.numbers.astype(np.float64, copy=False), p.valid) for p in parts]
    if part.sign == "coalesce":
        return _first(doubles)
    if part.sign == "round":
        return Values(_rounded(doubles[0].numbers, int(parts[1].numbers)), doubles[0].valid)
    valid = None
    for inner in doubles:
        valid = inner.valid if valid is None else valid if inner.valid is None else valid & inner.valid
    return Values(_ARITHMETIC[part.sign](*(inner.numbers for inner in doubles)), valid)


def _first(parts: list[Values]) -> Values:
    """The first that is not NULL."""
    numbers, valid = parts[-1].numbers, parts[-1].valid
    for part in reversed(parts[:-1]):
        if part.valid is None:
            numbers, valid = part.numbers, None
            continue
        numbers = np.where(part.valid, part.numbers, numbers)
        valid = None if valid is None else valid | part.valid
    return Values(numbers, valid)


def _extreme(formula: Formula, columns: Mapping[Value, Values]) -> Values:
    """NULL counts for nothing beside a value."""
    better = np.minimum if formula.sign == "least" else np.maximum
    first, *others = (_with_nulls(part, columns) for part in formula.parts)
    numbers, valid = first.numbers, first.valid
    for other in others:
        best = better(numbers, other.numbers)
        if valid is not None:
            best = np.where(valid, best, other.numbers)
        if other.valid is not None:
            best = np.where(other.valid, best, numbers)
        numbers = best
        valid = None if valid is None or other.valid is None else valid | other.valid
    return Values(numbers, valid)


def _rounded(numbers: Any, digits: int) -> Doubles:
    """Halves away from zero, of the number as it is once multiplied; what is too large for that stays as it is."""
    unit = 10.0**digits
    moved = np.asarray(numbers) * unit
    whole = np.trunc(moved)
    whole = np.where(np.abs(moved - whole) >= 0.5, whole + np.copysign(1.0, moved), whole) / unit
    return np.where(np.isfinite(whole), whole, numbers)


def _computed(part: Operand, values: Mapping[Value, Doubles]) -> Any:
    if isinstance(part, float):
        return part
    if isinstance(part, Value):
        return values[part]
    return _ARITHMETIC[part.sign](*(_computed(inner, values) for inner in part.parts))


def _compared(sign: str, one: Doubles, other: Doubles) -> npt.NDArray[np.bool_]:
    """NaN is greater than every number, and equal to itself."""
    if sign in ("<", "<="):
        sign, one, other = {"<": ">", "<=": ">="}[sign], other, one
    nan = np.isnan(one)
    if sign == ">":
        return (one > other) | (nan & ~np.isnan(other))
    return (one >= other) | nan
