"""Parts of formulas and what they make together: doubles, or whole numbers of so many decimal places.

Where DuckDB has a type of its own, only as much is known of it here as is needed: `Part.room`. All functions give None
where the outcome is DuckDB's to say: of types that have further rules, or of numbers that may not fit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from velostream_nb.engine.doubles import ARITHMETIC, compared, compared_with
from velostream_nb.engine.frames import Mask
from velostream_nb.engine.reading import Found, Reading
from velostream_nb.sql.formulas import Literal

Evaluate = Callable[[Reading], Found]
Span = tuple[int, int]
"""The least and the greatest value, both included."""

INT64: Span = -(1 << 63), (1 << 63) - 1
DECIMAL: Span = 1 - 10**18, 10**18 - 1
"""DuckDB multiplies decimals of up to 18 digits within 18 digits; every other result is as wide as it need be."""
MOST_DIGITS = 38
"""Of a DECIMAL, and of a HUGEINT that becomes one."""
BIGINT_DIGITS = 19
_EXACT_IN_DOUBLE = 1 << 53
_EXACT_POWER = 22
"""Up to this one powers of 10 are doubles: a quotient by another one depends on how it is found."""

COMPARISONS: Mapping[str, Callable[..., Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a formula.

    Attributes:
        kind: 'double'; 'whole'; 'time'; 'truth'; 'other': of use only where it becomes a DOUBLE.
        evaluate: its values, a row each, or one number for all rows; whole numbers in units of their last place.
        places: how many decimal places a whole number has.
        span: where whole numbers lie, in units of their last place; also where they are NULL.
        room: numbers that fit into the type in which DuckDB holds it; maybe more do.
        decimal: that type is a DECIMAL.
        digits: that type has no more of them before the point.
        doubles: what DuckDB makes of the values, however large, where they meet a DOUBLE; None where it is not known.
        dtype: of times.
        literal: the number it is.
    """

    kind: str
    evaluate: Evaluate
    places: int = 0
    span: Span = (0, 0)
    room: Span = (0, 0)
    decimal: bool = False
    digits: int = 0
    doubles: Evaluate | None = None
    dtype: pa.DataType | None = None
    literal: Literal | None = None


def is_within(span: Span, other: Span) -> bool:
    """Is all of it in the other?"""
    return other[0] <= span[0] and span[1] <= other[1]


def of_literal(literal: Literal) -> Part | None:
    """The same for every row."""
    digits, double = literal.digits, literal.double

    def doubles(_rows: Reading) -> Found:
        return double, None  # type: ignore[return-value]  # numpy spreads it over whatever it meets

    if literal.places is None:
        return Part("double", doubles, literal=literal)
    there = digits, digits
    evaluate = _constant(digits)
    if not literal.places:
        return Part("whole", evaluate, 0, there, there, False, BIGINT_DIGITS, doubles, literal=literal)
    before = max(len(str(abs(digits))) - literal.places, 0)
    return Part("whole", evaluate, literal.places, there, DECIMAL, True, before, doubles, literal=literal)


def _constant(number: int) -> Evaluate:
    return lambda _rows: (number, None)  # type: ignore[return-value]  # see `of_literal`


def combined(sign: str, parts: Sequence[Part]) -> Part | None:
    """Arithmetic: NULL where one of the parts is."""
    apply = ARITHMETIC[sign]
    alike = _alike(parts, sign in ("+", "-"))
    if alike is None or alike[0].kind not in ("double", "whole"):
        return None
    if alike[0].kind == "double" or sign == "/":
        doubles = [_as_doubles(part) for part in alike]
        known = [evaluate for evaluate in doubles if evaluate is not None]
        return Part("double", _strict(apply, known)) if len(known) == len(doubles) else None
    reached = [apply(*numbers) for numbers in product(*(part.span for part in alike))]
    span = (0 if sign == "abs" else min(reached)), max(reached)
    evaluate = _strict(apply, [part.evaluate for part in alike])
    if sign == "*":
        digits = sum(part.digits for part in alike)
        return _whole(evaluate, sum(part.places for part in alike), span, alike, digits)
    return _whole(evaluate, alike[0].places, span, alike, max(part.digits for part in alike) + len(alike) - 1)


def chosen_first(parts: Sequence[Part]) -> Part | None:
    """COALESCE; a literal is its last part, because nothing after it would count."""
    alike = _alike(parts)
    if alike is None or _drops_places(parts) or any(part.literal is not None for part in parts[:-1]):
        return None
    return _picked(alike, _first([part.evaluate for part in alike]))


def extreme(sign: str, parts: Sequence[Part]) -> Part | None:
    """LEAST or GREATEST, in which NULL counts for nothing; of doubles they are DuckDB's: NaN has a place of its own."""
    alike = _alike(parts)
    if alike is None or _drops_places(parts) or alike[0].kind == "double":
        return None
    better = np.minimum if sign == "least" else np.maximum
    return _picked(alike, _extreme([part.evaluate for part in alike], better))


def comparison(sign: str, parts: Sequence[Part]) -> Part | None:
    """Not true where one of the parts is NULL."""
    alike = _alike(parts)
    if alike is None or _drops_places(parts) or alike[0].kind == "time":
        return None
    one, other = alike
    if one.kind == "whole":
        evaluate = _strict(COMPARISONS[sign], [one.evaluate, other.evaluate])
    elif other.literal is not None:
        number = other.literal.double
        evaluate = _strict(lambda numbers: compared_with(sign, numbers, number), [one.evaluate])
    else:
        evaluate = _strict(lambda left, right: compared(sign, left, right), [one.evaluate, other.evaluate])

    def passes(rows: Reading) -> Found:
        found, valid = evaluate(rows)
        return found if valid is None else np.logical_and(found, valid), None

    return Part("truth", passes)


def _alike(parts: Sequence[Part], places: bool = True) -> list[Part] | None:
    """All as doubles where one of them is, else as they are; whole numbers of the same places if so asked."""
    kinds = {part.kind for part in parts}
    if "double" in kinds:
        doubles = [_as_doubles(part) for part in parts]
        known = [e for e in doubles if e is not None]
        if len(known) < len(doubles):
            return None
        return [Part("double", e, literal=part.literal) for e, part in zip(known, parts, strict=True)]
    if kinds == {"time"}:
        return list(parts) if all(part.dtype == parts[0].dtype for part in parts) else None
    if kinds != {"whole"}:
        return None
    if not places:
        return list(parts)
    most = max(part.places for part in parts)
    scaled = [_scaled(part, most) for part in parts]
    return scaled if all(is_within(part.span, INT64) for part in scaled) else None


def _drops_places(parts: Sequence[Part]) -> bool:
    """May DuckDB's common type of the parts have fewer places than one of them?

    It does where two DECIMALs would need more than 38 digits. An integer leaves a DECIMAL its places.
    """
    if len(parts) == 2 and not all(part.decimal for part in parts):
        return False
    places = {part.places for part in parts if part.kind == "whole"}
    return len(places) > 1 and max(places) + max(part.digits for part in parts) > MOST_DIGITS


def _as_doubles(part: Part) -> Evaluate | None:
    """The part as DuckDB converts it where it meets a DOUBLE."""
    if part.kind == "double":
        return part.evaluate
    if part.doubles is not None or part.kind != "whole":
        return part.doubles
    exact = is_within(part.span, (-_EXACT_IN_DOUBLE, _EXACT_IN_DOUBLE)) and part.places <= _EXACT_POWER
    return _divided(part.evaluate, 10**part.places) if exact else None


def _divided(given: Evaluate, unit: int) -> Evaluate:
    """Whole numbers as doubles."""
    divisor = float(unit)
    return _strict(lambda numbers: numbers.astype(np.float64) if unit == 1 else numbers / divisor, [given])


def _scaled(part: Part, places: int) -> Part:
    """The same whole number with more places behind the point, which makes a DECIMAL of it."""
    if part.places == places:
        return part
    unit = 10 ** (places - part.places)
    low, high = part.span
    scaled = _strict(lambda numbers: numbers * unit, [part.evaluate])
    return replace(part, evaluate=scaled, places=places, span=(low * unit, high * unit), room=DECIMAL, doubles=None)


def _whole(evaluate: Evaluate, places: int, span: Span, parts: Sequence[Part], digits: int) -> Part | None:
    """What whole numbers make; DuckDB's type of it holds at least all that fits into those of the parts."""
    room = DECIMAL if places else (min(part.room[0] for part in parts), max(part.room[1] for part in parts))
    if not is_within(span, room) or not is_within(span, INT64):
        return None
    decimal = any(part.decimal for part in parts)
    if not decimal:
        digits = BIGINT_DIGITS if all(part.digits <= BIGINT_DIGITS for part in parts) else MOST_DIGITS
    # an integer of up to 64 bits becomes the nearest double, however large it is
    narrow = digits <= BIGINT_DIGITS and not decimal and all(part.doubles is not None for part in parts)
    doubles = _divided(evaluate, 1) if narrow else None
    return Part("whole", evaluate, places, span, room, decimal, min(digits, MOST_DIGITS - places), doubles)


def _picked(parts: list[Part], evaluate: Evaluate) -> Part | None:
    """One of the values of the parts, which are alike."""
    if parts[0].kind != "whole":
        return Part(parts[0].kind, evaluate, dtype=parts[0].dtype)
    span = min(part.span[0] for part in parts), max(part.span[1] for part in parts)
    return _whole(evaluate, parts[0].places, span, parts, max(part.digits for part in parts))


def _strict(apply: Callable[..., Any], given: Sequence[Evaluate]) -> Evaluate:
    """A function of one or two parts, NULL where one of them is."""
    if len(given) == 1:
        (only,) = given

        def one(rows: Reading) -> Found:
            numbers, valid = only(rows)
            return apply(numbers), valid

        return one
    left, right = given

    def two(rows: Reading) -> Found:
        (first, valid), (second, other) = left(rows), right(rows)
        if valid is None or valid is other:
            valid = other
        elif other is not None:
            valid = valid & other
        return apply(first, second), valid

    return two


def _first(given: Sequence[Evaluate]) -> Evaluate:
    """The first that is not NULL."""

    def evaluate(rows: Reading) -> Found:
        numbers, valid = given[-1](rows)
        for part in reversed(given[:-1]):
            mine, there = part(rows)
            if there is None:
                numbers, valid = mine, None
            else:
                numbers = np.where(there, mine, numbers)
                valid = None if valid is None else valid | there
        return numbers, valid

    return evaluate


def _extreme(given: Sequence[Evaluate], better: np.ufunc) -> Evaluate:
    def evaluate(rows: Reading) -> Found:
        numbers, valid = given[0](rows)
        for part in given[1:]:
            mine, there = part(rows)
            best = better(numbers, mine)
            if valid is not None:
                best = np.where(valid, best, mine)
            if there is not None:
                best = np.where(there, best, numbers)
            numbers = best
            valid = _either(valid, there)
        return numbers, valid

    return evaluate


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    return None if one is None or other is None else one | other
