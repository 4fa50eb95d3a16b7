"""Doubles compared and rounded as DuckDB does it; all else about them is IEEE 754's in both."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from velostream_nb.engine.frames import Mask

Doubles = npt.NDArray[np.float64]

ARITHMETIC: Mapping[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "neg": operator.neg,
    "abs": abs,
}
"""What the signs of formulas stand for."""


def compared(sign: str, one: Doubles, other: Doubles) -> Mask:
    """``one sign other``; NaN is greater than every number, and equal to itself."""
    if sign in ("<", "<="):
        sign, one, other = {"<": ">", "<=": ">="}[sign], other, one
    if sign == ">":  # of NaN nothing is true, and what is not <= is greater
        found: Mask = ~(one <= other) & (other == other)
        return found
    return (one >= other) | np.isnan(one)


def compared_with(sign: str, one: Doubles, number: float) -> Mask:
    """The same with one number that is not NaN."""
    found: Mask
    if sign in (">", ">="):
        found = one <= number if sign == ">" else one < number
        return ~found
    found = one < number if sign == "<" else one <= number
    return found


def rounded(numbers: Any, unit: float) -> Doubles:
    """To the nearest `unit`-th part, a power of 10.

    Halves go away from zero, of the number as it is once multiplied; what is too large for that stays as it is.
    """
    moved: Doubles = np.multiply(numbers, unit)
    whole: Doubles = np.trunc(moved)
    beyond = np.subtract(moved, whole)
    beyond += beyond
    whole += np.trunc(beyond, out=beyond)  # 1 away from zero from the half on
    np.copysign(whole, moved, out=whole)
    whole /= unit
    finite = np.isfinite(whole)
    return whole if finite.all() else np.where(finite, whole, numbers)
