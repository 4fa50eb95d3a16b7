"""Comparisons of arithmetic over pairs of rows, in numpy, where they are the same to the last bit as DuckDB's.

Arithmetic on DOUBLE is IEEE 754's in both. DuckDB turns an integer or a literal that meets a DOUBLE into one. Formulas
in which anything else meets are left to DuckDB; over the rows of one batch `arithmetic` knows more of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from velostream_nb.engine.arrays import values_of
from velostream_nb.engine.doubles import ARITHMETIC, Doubles, compared
from velostream_nb.engine.frames import Mask
from velostream_nb.sql.formulas import Formula, Literal, Operand, Value

_COMPARISONS = ("<", "<=", ">", ">=")


def is_exact(formula: Formula, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Is the formula computed here as DuckDB computes it, whatever the values?"""
    return _is_double(formula, schemas)


def _is_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Is the operand, or each that a comparison compares, surely DOUBLE arithmetic?"""
    if isinstance(part, Literal):
        return False
    if isinstance(part, Value):
        return bool(pa.types.is_float64(schemas[part.side].field(part.column).type))
    if part.sign not in ARITHMETIC and part.sign not in _COMPARISONS:
        return False
    doubles = [_is_double(inner, schemas) for inner in part.parts]
    return any(doubles) and all(
        double or _becomes_double(inner, schemas) for double, inner in zip(doubles, part.parts, strict=True)
    )


def _becomes_double(part: Operand, schemas: tuple[pa.Schema, pa.Schema]) -> bool:
    """Does DuckDB make a DOUBLE of it where it meets one?"""
    if isinstance(part, Literal):
        return True
    if isinstance(part, Formula):
        return False
    kind = schemas[part.side].field(part.column).type
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind))


def doubles_of(column: pa.ChunkedArray) -> Doubles:
    """A column of numbers as doubles; anything where it is NULL."""
    return values_of(column).numbers.astype(np.float64, copy=False)


def holds(formula: Formula, values: Mapping[Value, Doubles]) -> Mask:
    """Where a comparison is true, given the columns it reads, without NULLs."""
    with np.errstate(all="ignore"):
        one, other = (_computed(part, values) for part in formula.parts)
        return compared(formula.sign, np.asarray(one), np.asarray(other))


def _computed(part: Operand, values: Mapping[Value, Doubles]) -> Any:
    if isinstance(part, Literal):
        return part.double
    if isinstance(part, Value):
        return values[part]
    return ARITHMETIC[part.sign](*(_computed(inner, values) for inner in part.parts))
