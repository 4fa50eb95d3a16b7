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


def _is_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Is the operand, or each that a comparison compares, surely DOUBLE arithmetic?"""
    if isinstance(part, float):
        return False
    if isinstance(part, Value):
        return bool(pa.types.is_float64(schemas[part.side].field(part.column).type))
    doubles = [_is_double(inner, schemas) for inner in part.parts]
    return any(doubles) and all(
        double or _becomes_double(inner, schemas) for double, inner in zip(doubles, part.parts, strict=True)
    )


def _becomes_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Does DuckDB make a DOUBLE of it where it meets one?"""
    if isinstance(part, Value):
        kind = schemas[part.side].field(part.column).type
        return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind))
    return isinstance(part, float)


def doubles_of(column: pa.ChunkedArray) -> Doubles:
    """A column of numbers as doubles; anything where it is NULL."""
    return values_of(column).numbers.astype(np.float64, copy=False)


def holds(formula: Formula, values: Mapping[Value, Doubles]) -> npt.NDArray[np.bool_]:
    """Where a comparison is true, given the columns it reads, without NULLs."""
    with np.errstate(all="ignore"):
        one, other = (_computed(part, values) for part in formula.parts)
    return _compared(formula.sign, np.asarray(one), np.asarray(other))


def computed(formula: Formula, columns: Mapping[Value, Values], count: int) -> Values:
    """The doubles that arithmetic gives, NULL where it is, for `count` rows."""
    with np.errstate(all="ignore"):
        found = _with_nulls(formula, columns)
    return Values(np.broadcast_to(found.numbers, count), found.valid)


def _with_nulls(part: Operand, columns: Mapping[Value, Values]) -> Values:
    if isinstance(part, float):
        return Values(np.float64(part))  # type: ignore[arg-type]  # broadcast by whatever it meets
    if isinstance(part, Value):
        return columns[part]
    parts = [_with_nulls(inner, columns) for inner in part.parts]
    if part.sign == "coalesce":
        return _coalesced(parts)
    valid = None
    for inner in parts:
        valid = inner.valid if valid is None else valid if inner.valid is None else valid & inner.valid
    return Values(_ARITHMETIC[part.sign](*(inner.numbers for inner in parts)), valid)


def _coalesced(parts: list[Values]) -> Values:
    """The first that is not NULL."""
    numbers, valid = parts[-1].numbers, parts[-1].valid
    for part in reversed(parts[:-1]):
        if part.valid is None:
            numbers, valid = part.numbers, None
            continue
        numbers = np.where(part.valid, part.numbers, numbers)
        valid = None if valid is None else valid | part.valid
    return Values(numbers, valid)


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
