"""Conditions in numpy and Arrow, where they are true for the same rows as in DuckDB.

A comparison with NULL is not true, and an AND or an OR of what is not true is not true either: NULL needs no state of
its own, because nothing here is ever negated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.types import HUGEINT
from velostream_nb.core.vectors import flags_in
from velostream_nb.engine.arithmetic import truth
from velostream_nb.engine.arrays import texts, wide_of
from velostream_nb.engine.formulas import is_exact
from velostream_nb.engine.frames import Mask, Numbers
from velostream_nb.engine.reading import Reading, nearest
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
Test = Callable[[Reading], Mask]
_SIGN_BIT = 63
_GREATEST = (1 << _SIGN_BIT) - 1
_LEAST = -_GREATEST - 1


class Check:
    """A condition over rows of one schema.

    Attributes:
        test: a boolean a row; OutOfReachError where only DuckDB can say, if it is `tried`.
        exact: it is true for the very rows for which DuckDB's is; otherwise for those, and for others too.
        tried: it is so only if it has been tried beside DuckDB, and OutOfReachError may leave a batch to it.
        reach: how far from 0 the values of a column may be, where that matters.
    """

    def __init__(self, test: Test, *, exact: bool, tried: bool = False, reach: Mapping[str, int] | None = None) -> None:
        self.test = test
        self.exact = exact
        self.tried = tried
        self.reach = reach or {}

    @classmethod
    def of(cls, condition: Condition | None, schema: pa.Schema, *, tried: bool = False) -> Check | None:
        """None when nothing can be said of any row.

        Args:
            tried: who asks will try it beside DuckDB, and can leave a batch to it.
        """
        if condition is None:
            return None
        if isinstance(condition, Every | Some):
            return cls._joined(condition, schema, tried)
        if isinstance(condition, Compared):
            test = _compared_test(condition, schema.field(condition.column).type)
            return cls(test, exact=True) if test is not None else cls.of(condition.formula, schema, tried=tried)
        if isinstance(condition, IsNull):
            return cls(_null_test(condition), exact=True)
        return cls._of_formula(condition, schema, tried)

    @classmethod
    def _of_formula(cls, formula: Formula, schema: pa.Schema, tried: bool) -> Check | None:
        always = is_exact(formula, (schema, schema))
        known = truth(formula, schema) if always or tried else None
        if known is None:
            return None
        return cls(known.where, exact=True, tried=not always, reach=known.reach)

    @classmethod
    def _joined(cls, condition: Every | Some, schema: pa.Schema, tried: bool) -> Check | None:
        checks = [cls.of(part, schema, tried=tried) for part in condition.parts]
        known = [check for check in checks if check is not None]
        whole_known = len(known) == len(checks)
        if not known or not (whole_known or isinstance(condition, Every)):
            return None
        exact = whole_known and all(check.exact for check in known)
        tests = [check.test for check in known]
        test = tests[0] if len(tests) == 1 else _every(tests) if isinstance(condition, Every) else _some(tests)
        reach = nearest(check.reach for check in known)
        return cls(test, exact=exact, tried=any(check.tried for check in known), reach=reach)

    def passes(self, rows: pa.Table) -> Mask:
        """A boolean a row; OutOfReachError where only DuckDB can say, if it is `tried`."""
        with np.errstate(all="ignore"):
            return self.test(Reading(rows))


def _every(tests: list[Test]) -> Test:
    def passes(rows: Reading) -> Mask:
        found = tests[0](rows)
        for test in tests[1:]:
            if not np.count_nonzero(found):
                break
            found = found & test(rows)
        return found

    return passes


def _some(tests: list[Test]) -> Test:
    def passes(rows: Reading) -> Mask:
        found = tests[0](rows)
        for test in tests[1:]:
            found = found | test(rows)
        return found

    return passes


def _compared_test(condition: Compared, kind: pa.DataType) -> Test | None:
    """Of a column beside a literal; None where they are compared in another way."""
    if isinstance(condition.literal, str):
        return _text_test(condition, kind) if _is_text(kind) and condition.sign in ("=", "<>") else None
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return _whole_test(condition)
    return _huge_test(condition) if kind == HUGEINT else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _null_test(condition: IsNull) -> Test:
    column, negated = condition.column, condition.negated

    def passes(rows: Reading) -> Mask:
        values = rows.array(column)
        return flags_in(values.is_valid() if negated else values.is_null())

    return passes


def _text_test(condition: Compared, kind: pa.DataType) -> Test:
    column, equal = condition.column, condition.sign == "="
    assert isinstance(condition.literal, str)
    literal = texts([condition.literal])[0].cast(kind)

    def passes(rows: Reading) -> Mask:
        compare = pc.equal if equal else pc.not_equal
        found = compare(rows.array(column), literal)
        return flags_in(found.fill_null(False) if found.null_count else found)

    return passes


def _whole_test(condition: Compared) -> Test:
    column, literal, compare = condition.column, condition.literal, _SIGNS[condition.sign]

    def passes(rows: Reading) -> Mask:
        numbers, valid = rows.numbers(column)
        found = compare(numbers.astype(np.int64, copy=False), literal)
        return found if valid is None else found & valid

    return passes


def _huge_test(condition: Compared) -> Test:
    column, literal, compare = condition.column, condition.literal, _SIGNS[condition.sign]

    def passes(rows: Reading) -> Mask:
        numbers, valid = _clamped(rows.array(column))
        found = compare(numbers, literal)
        return found if valid is None else found & valid

    return passes


def _clamped(array: pa.Array) -> tuple[Numbers, Mask | None]:
    """Integers of 128 bits; those that do not fit into 64 are further from 0 than any literal."""
    wide = wide_of(array)
    low: Numbers = wide.low.view(np.int64)
    fits = wide.high == low >> _SIGN_BIT  # type: ignore[operator]  # they are int64
    if not fits.all():
        low = np.where(fits, low, np.where(wide.high < 0, _LEAST, _GREATEST))
    return low, wide.valid
