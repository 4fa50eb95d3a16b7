"""The condition of an interval join as far as numpy can answer it: keys, a band of times, plain comparisons."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from velostream_nb.engine.formulas import is_exact
from velostream_nb.engine.join_keys import comparable, has_order
from velostream_nb.engine.join_side import Bools
from velostream_nb.sql import plan
from velostream_nb.sql.formulas import Formula
from velostream_nb.sql.join_parts import Part, parts_of

_UNUSED_KEYS = 1024
"""So many numbers of keys that no row has are not worth numbering anew."""
_ALIKE = 8
"""Runs are compared as neighbours when neither is so many times as long as the other."""

_OPERATORS: dict[str, Callable[[Any, Any], Bools]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Band:
    """A condition as far as sorted arrays can answer it.

    Attributes:
        low_us, high_us: of the left time less the right one.
        keys: (left column, right column, type of the comparison).
        unequal: the same for ``<>``.
        ordered: (left column, operator, right column) of other comparisons.
        formulas: comparisons of arithmetic.
        times: (left column, right column): event times, which match nothing where they are NULL.
        rest: the remaining parts.
    """

    low_us: int
    high_us: int
    keys: tuple[tuple[str, str, pa.DataType], ...]
    unequal: tuple[tuple[str, str, pa.DataType], ...]
    ordered: tuple[tuple[str, str, str], ...]
    formulas: tuple[Formula, ...]
    times: tuple[tuple[str, str], ...]
    rest: tuple[Part, ...]

    @property
    def reach_us(self) -> int:
        """How far apart the times of a pair may be."""
        return max(abs(self.low_us), abs(self.high_us))

    @property
    def around(self) -> bool:
        """Do most rows that are near enough in time fit?"""
        return 2 * (self.high_us - self.low_us) >= self.reach_us

    @property
    def mirrored(self) -> bool:
        """Are the sides compared by the same columns?"""
        pairs = *self.keys, *self.unequal, *((a, b) for a, _, b in self.ordered), *self.times
        return all(pair[0] == pair[1] for pair in pairs)

    def read(self, side: int) -> set[str]:
        """Columns of a side that formulas read."""
        return {value.column for formula in self.formulas for value in formula.values() if value.side == side}

    def compared(self, side: int) -> set[str]:
        """Columns of a side whose NULLs match nothing; besides the keys."""
        pairs = [(a, b) for a, b, _ in self.unequal] + [(a, b) for a, _, b in self.ordered] + list(self.times)
        return {pair[side] for pair in pairs} | self.read(side)


def band_of(node: plan.IntervalJoin, left: pa.Schema, right: pa.Schema) -> Band | None:
    """The condition as a band; None where DuckDB's ``=`` may be another one, or finds matches with less work."""
    parts = parts_of(node)
    if parts is None or any(part.computed for part in parts):
        return None
    low, high = [node.low_us], [node.high_us]
    keys, unequal, ordered, formulas, times, rest = [], [], [], [], [], []
    for part in parts:
        if part.bounds and (part.times is None or _are_times(left, right, *part.times)):
            low += [part.low_us] if part.low_us is not None else []
            high += [part.high_us] if part.high_us is not None else []
            times += [part.times] if part.times is not None else []
            continue
        if part.compared is None:
            if part.formula is not None and is_exact(part.formula, (left, right)):
                formulas.append(part.formula)
            else:
                rest.append(part)
            continue
        a, sign, b = part.compared
        one, other = left.field(a).type, right.field(b).type
        kind = comparable(one, other)
        if sign == "=":
            if kind is None:
                return None
            keys.append((a, b, kind))
        elif sign == "<>" and kind is not None:
            unequal.append((a, b, kind))
        elif sign != "<>" and has_order(one, other):
            ordered.append((a, sign, b))
        else:
            rest.append(part)
    known = tuple(keys), tuple(unequal), tuple(ordered), tuple(formulas), tuple(times)
    return Band(max(low), min(high), *known, tuple(rest))


def _are_times(left: pa.Schema, right: pa.Schema, one: str, other: str) -> bool:
    """Is event time all that these columns hold?"""
    kind = left.field(one).type
    return bool(kind == right.field(other).type) and pa.types.is_timestamp(kind) and kind.unit == "us"
