"""Conditions in numpy and Arrow, where they are true for the same rows as in DuckDB.

A comparison with NULL is not true, and an AND or an OR of what is not true is not true either: NULL needs no state of
its own, because nothing here is ever negated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.arrays import texts, values_of, whole
from velostream_nb.engine.formulas import holds, is_exact
from velostream_nb.engine.frames import Mask, Numbers
from velostream_nb.sql.conditions import Compared, Condition, Every, IsNull, Some
from velostream_nb.sql.formulas import Formula

_SIGNS: dict[str, Callable[[Any, Any], Mask]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Test = Callable[[pa.Table], Mask]
_SIGN_BIT = 63
_GREATEST = (1 << _SIGN_BIT) - 1
_LEAST = -_GREATEST - 1


class Check:
    """A condition over rows of one schema.

    Attributes:
        exact: it is true for the very rows for which DuckDB's is; otherwise for those, and for others too.
    """

    def __init__(self, test: _Test, *, exact: bool) -> None:
        self._test = test
        self.exact = exact

    @classmethod
    def of(cls, condition: Condition | None, schema: pa.Schema) -> Check | None:
        """None when nothing can be said of any row."""
        if condition is None:
            return None
        if isinstance(condition, Every | Some):
            return cls._joined(condition, schema)
        test = _test(condition, schema)
        return None if test is None else cls(test, exact=True)

    @classmethod
    def _joined(cls, condition: Every | Some, schema: pa.Schema) -> Check | None:
        checks = [cls.of(part, schema) for part in condition.parts]
        known = [check for check in checks if check is not None]
        whole_known = len(known) == len(checks)
        if not known or not (whole_known or isinstance(condition, Every)):
            return None
        exact = whole_known and all(check.exact for check in known)
        if len(known) == 1:
            return cls(known[0].passes, exact=exact)
        fold = np.logical_and if isinstance(condition, Every) else np.logical_or
        tests = [check.passes for check in known]

        def passes(rows: pa.Table) -> Mask:
            found = tests[0](rows)
            for test in tests[1:]:
                found = fold(found, test(rows))
            return found

        return cls(passes, exact=exact)

    def passes(self, rows: pa.Table) -> Mask:
        """A boolean a row."""
        return self._test(rows)


def _test(condition: Condition, schema: pa.Schema) -> _Test | None:
    if isinstance(condition, IsNull):
        return _null_test(condition)
    if isinstance(condition, Compared):
        kind = schema.field(condition.column).type
        if isinstance(condition.literal, str):
            return _text_test(condition, kind) if _is_text(kind) and condition.sign in ("=", "<>") else None
        if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
            return _whole_test(condition, _integers)
        if kind == HUGEINT:
            return _whole_test(condition, _clamped)
        return None if condition.formula is None else _test(condition.formula, schema)
    assert isinstance(condition, Formula)
    return _formula_test(condition) if is_exact(condition, (schema, schema)) else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _null_test(condition: IsNull) -> _Test:
    column, negated = condition.column, condition.negated

    def passes(rows: pa.Table) -> Mask:
        values = whole(rows.column(column))
        return _bools(values.is_valid() if negated else values.is_null())

    return passes


def _text_test(condition: Compared, kind: pa.DataType) -> _Test:
    column, equal = condition.column, condition.sign == "="
    assert isinstance(condition.literal, str)
    literal = texts([condition.literal])[0].cast(kind)

    def passes(rows: pa.Table) -> Mask:
        values = whole(rows.column(column))
        compare = pc.equal if equal else pc.not_equal
        found = compare(values, literal)
        return _bools(found.fill_null(False) if found.null_count else found)

    return passes


def _whole_test(condition: Compared, read: Callable[[pa.Array], Numbers]) -> _Test:
    column, literal, compare = condition.column, condition.literal, _SIGNS[condition.sign]

    def passes(rows: pa.Table) -> Mask:
        array = whole(rows.column(column))
        found = compare(read(array), literal)
        return found & _bools(array.is_valid()) if array.null_count else found

    return passes


def _integers(array: pa.Array) -> Numbers:
    return values_of(array).numbers.astype(np.int64, copy=False)


def _clamped(array: pa.Array) -> Numbers:
    """Integers of 128 bits; those that do not fit into 64 are further from 0 than any literal."""
    if not len(array):
        return np.empty(0, dtype=np.int64)
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    low, high = words[::2], words[1::2]
    fits = high == low >> _SIGN_BIT
    return low if fits.all() else np.where(fits, low, np.where(high < 0, _LEAST, _GREATEST))


def _formula_test(formula: Formula) -> _Test:
    reads = formula.values()

    def passes(rows: pa.Table) -> Mask:
        given = {read: values_of(rows.column(read.column)) for read in reads}
        found = holds(formula, {r: v.numbers.astype(np.float64, copy=False) for r, v in given.items()})
        for values in given.values():
            found = found if values.valid is None else found & values.valid
        return found

    return passes


def _bools(array: pa.Array) -> Mask:
    found: Mask = array.to_numpy(zero_copy_only=False)
    return found
