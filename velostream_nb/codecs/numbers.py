"""Numbers and booleans, value by value: what fits a column and what does not."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from velostream_nb.codecs.verdicts import Convert, Misfit, TooNarrow, misfit, out_of_range
from velostream_nb.core.types import HUGEINT, sql_type

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_WIDE = Context(prec=80)
_MOST_DIGITS = 40
_FLOAT_MAX = float(np.finfo(np.float32).max)
_SPECIAL_NUMBERS = {
    "nan": math.nan, "infinity": math.inf, "+infinity": math.inf, "-infinity": -math.inf, "inf": math.inf,
    "+inf": math.inf, "-inf": -math.inf,
}  # fmt: skip
"""How other systems write in JSON, and in CSV, what JSON has no number for."""
_BOOLEAN_WORDS = {"true": True, "1": True, "false": False, "0": False}


def _number(value: Any, wanted: str, path: str, text: bool) -> int | float | Decimal:
    """A number as it is, or the number that a text spells; booleans are not numbers."""
    if text and isinstance(value, str):
        if not _NUMBER.match(spelled := value.strip()):
            raise misfit(wanted, value, path)
        return Decimal(spelled)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise misfit(wanted, value, path)
    return value


def whole(value: Any, wanted: str, path: str, text: bool) -> int:
    """The value as a whole number; `wanted` is what the verdict on another one says."""
    number = _number(value, wanted, path, text)
    # a huge exponent is tested before it is expanded: 1e999999999 has a billion digits
    if isinstance(number, Decimal) and (not number.is_finite() or number.adjusted() > _MOST_DIGITS):
        raise misfit(wanted, value, path)
    if isinstance(number, float) and not math.isfinite(number):
        raise misfit(wanted, value, path)
    if int(number) != number:
        raise misfit(wanted, value, path)
    return int(number)


def _fraction(value: Any, path: str, text: bool) -> float | None:
    """The value as DOUBLE; None when it is no number that DOUBLE holds."""
    try:
        return float(double(text)(value, path))
    except Misfit:
        return None


def integer(dtype: pa.DataType, text: bool) -> Convert:
    """Whole numbers within the type's bounds."""
    bits, name = dtype.bit_width, sql_type(dtype)
    signed = pa.types.is_signed_integer(dtype)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def convert_integer(value: Any, path: str) -> int:
        try:
            number = whole(value, "a whole number", path, text)
        except Misfit as verdict:
            real = _fraction(value, path, text)
            raise (verdict if real is None else TooNarrow(verdict.reason, path, pa.float64())) from None
        if not low <= number <= high:
            needs = pa.int64() if -(2**63) <= number < 2**63 else HUGEINT
            outside = out_of_range(number, name, path)
            raise outside if abs(number) >= 10**38 else TooNarrow(outside.reason, path, needs)
        return number

    return convert_integer


def decimal(precision: int, scale: int, name: str) -> Convert:
    """Exact numbers, rounded to the scale; `name` is what the type is called."""
    quantum = Decimal(1).scaleb(-scale)

    def wholly(value: Any, path: str) -> int:
        try:
            return whole(value, "a whole number", path, text=True)
        except Misfit as verdict:
            real = _fraction(value, path, text=True)
            raise (verdict if real is None else TooNarrow(verdict.reason, path, pa.float64())) from None

    def convert_decimal(value: Any, path: str) -> Decimal:
        if scale == 0:
            number = Decimal(wholly(value, path))
        else:
            given = _number(value, "a number", path, text=True)
            number = given if isinstance(given, Decimal) else Decimal(repr(given))
        if not number.is_finite():
            raise misfit("a number", value, path)
        # before rounding, because a huge exponent has no room; after it, because 9.995 may become 10.00
        if number and number.adjusted() >= precision - scale:
            raise out_of_range(value, name, path)
        rounded = number.quantize(quantum, ROUND_HALF_UP, _WIDE)  # half up, as DuckDB casts
        if rounded and rounded.adjusted() >= precision - scale:
            raise out_of_range(value, name, path)
        return rounded

    return convert_decimal


def double(text: bool) -> Convert:
    """Any number, and the texts for NaN and infinity."""

    def convert_double(value: Any, path: str) -> float:
        if isinstance(value, str) and (special := _SPECIAL_NUMBERS.get(value.strip().lower())) is not None:
            return special
        if isinstance(value, Decimal) and value.is_nan():
            return math.nan
        number = _number(value, "a number", path, text)
        try:
            real: float = float(number)
        except OverflowError:
            real = math.inf
        if math.isinf(real) and not isinstance(number, float):
            raise out_of_range(value, "DOUBLE", path)
        return real

    return convert_double


def single(text: bool) -> Convert:
    """Any number that FLOAT has room for."""
    convert_double = double(text)

    def convert_float(value: Any, path: str) -> float:
        real: float = convert_double(value, path)
        if math.isfinite(real) and abs(real) > _FLOAT_MAX:
            raise out_of_range(value, "FLOAT", path)
        return real

    return convert_float


def boolean(text: bool) -> Convert:
    """True and false; as text, in the words of CSV."""

    def convert_boolean(value: Any, path: str) -> bool:
        if text and isinstance(value, str) and value.strip().lower() in _BOOLEAN_WORDS:
            return _BOOLEAN_WORDS[value.strip().lower()]
        if not isinstance(value, bool):
            raise misfit("true or false", value, path)
        return value

    return convert_boolean
