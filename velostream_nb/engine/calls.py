"""Python functions over the batches that DuckDB hands them, and who was at fault when one raises.

DuckDB calls a function with up to 2 048 rows at a time. All of them are computed before an error is raised, so that
`isolate` hears of every row at fault at once instead of searching for each.
"""

from __future__ import annotations

import datetime as dt
import inspect
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.functions import Function
from velostream_nb.core.types import sql_type

_SHOWN_CHARACTERS = 300
_WIDE = Context(prec=76)
"""Products of two DECIMAL(38) are exact in it."""
_NO_TYPES: frozenset[type] = frozenset()
_PLAIN: dict[pa.DataType, frozenset[type]] = {
    pa.int64(): frozenset({int, type(None)}),
    pa.float64(): frozenset({int, float, type(None)}),
    pa.string(): frozenset({str, type(None)}),
    pa.bool_(): frozenset({bool, type(None)}),
}
"""Python types whose values Arrow takes as they are meant."""
_REFUSALS = (pa.ArrowException, TypeError, ValueError, AttributeError, ArithmeticError)


class CallError(Exception):
    """Raised through DuckDB, which shows its text; what counts is in `Faults`."""


@dataclass(slots=True)
class Faults:
    """What the functions of one DuckDB had to say in the statement at hand.

    Attributes:
        reason: of the first row at fault, '' while there is none.
        rows: numbers of the rows at fault, counted over the calls of that function since `reset`. These are the rows
            of the statement's input where the statement calls the function once for each of them, in order.
    """

    reason: str = ""
    rows: tuple[int, ...] = ()
    _seen: dict[str, int] = field(default_factory=dict)

    def reset(self) -> None:
        """A statement begins."""
        self.reason, self.rows = "", ()
        self._seen.clear()

    def count(self, name: str, rows: int) -> int:
        """Rows that the function was given before these."""
        before = self._seen.get(name, 0)
        self._seen[name] = before + rows
        return before

    def note(self, reason: str, rows: Sequence[int]) -> None:
        self.reason, self.rows = reason, tuple(rows)


def duck_function(function: Function, faults: Faults) -> Callable[..., Any]:
    """What is given to DuckDB: takes Arrow columns and gives one; for a function without parameters, one value.

    Its signature tells DuckDB the types; a parameter of any type has none.
    """

    def columns(*given: pa.ChunkedArray) -> pa.Array:
        before = faults.count(function.name, len(given[0]))
        answer, wrong = apply(function, [_whole(column) for column in given])
        _raise(function, faults, before, wrong)
        return answer

    def value() -> Any:
        answer, wrong = apply(function, [], rows=1)
        _raise(function, faults, 0, wrong)
        return answer[0].as_py()

    made = columns if function.parameters else value
    place = inspect.Parameter.POSITIONAL_ONLY
    parameters = [
        inspect.Parameter(f"a{n}", place, annotation=place_type(p.type)) for n, p in enumerate(function.parameters)
    ]
    made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return made


def place_type(dtype: pa.DataType | None) -> Any:
    """How a parameter's type is annotated for DuckDB."""
    return inspect.Parameter.empty if dtype is None else sql_type(dtype)


def _raise(function: Function, faults: Faults, before: int, wrong: dict[int, Exception]) -> None:
    if wrong:
        first = min(wrong)
        faults.note(reason_of(function, wrong[first]), [before + row for row in sorted(wrong)])
        raise CallError(faults.reason) from wrong[first]


def reason_of(function: Function, error: Exception) -> str:
    """What the dead-letter topic says: the function, the exception's type, its text."""
    text = " ".join(str(error).split())
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}…"
    if isinstance(error, AnswerError):
        return f"function {function.name} {text}"
    return f"function {function.name}: {type(error).__name__}{f': {text}' if text else ''}"


class AnswerError(Exception):
    """An answer that is not of the type that was promised."""


def apply(
    function: Function, columns: list[pa.Array], *, rows: int | None = None
) -> tuple[pa.Array, dict[int, Exception]]:
    """Call the function for rows of arguments.

    Args:
        rows: how many; needed where there are no columns.

    Returns:
        One answer a row, NULL where it raised, and what it raised by row.
    """
    rows = len(columns[0]) if rows is None else rows
    called = _rows_to_call(function, columns)
    if called is not None:
        columns = [column.take(called) for column in columns]
    count = rows if called is None else len(called)
    run = _run_values if function.form == "values" else _run_columns
    with localcontext(_WIDE):  # Python's own 28 digits are fewer than a DECIMAL has
        answer, wrong = run(function, columns, count) if count else (pa.nulls(0, function.returns), {})
    if called is None:
        return answer, wrong
    numbers = called.to_numpy()
    places = np.full(rows, -1, dtype=np.int64)
    places[numbers] = np.arange(count)
    return answer.take(pa.array(places, mask=places < 0)), {int(numbers[row]): error for row, error in wrong.items()}


def _rows_to_call(function: Function, columns: list[pa.Array]) -> pa.Array | None:
    """Numbers of the rows without a NULL argument; None when that is all of them, or does not matter."""
    if function.null == "call" or not any(column.null_count for column in columns):
        return None
    valid = columns[0].is_valid()
    for column in columns[1:]:
        valid = pc.and_(valid, column.is_valid())
    return pc.indices_nonzero(valid).cast(pa.int64())


# -- one row at a time ----------------------------------------------------------------------------------------------


def _run_values(function: Function, columns: list[pa.Array], count: int) -> tuple[pa.Array, dict[int, Exception]]:
    arguments = iter(zip(*map(values_of, columns), strict=True)) if columns else iter([()] * count)
    answers: list[Any] = []
    wrong: dict[int, Exception] = {}
    call, add = function.call, answers.append
    while len(answers) < count:
        try:  # around the loop: most batches have no row at fault, and the loop goes on behind one that is
            for row in arguments:
                add(call(*row))
        except Exception as error:  # noqa: BLE001 (whatever a user's function raises belongs to its row)
            wrong[len(answers)] = error
            add(None)
    return _typed(function, answers, wrong), wrong


def values_of(column: pa.Array) -> list[Any]:
    """Python values: maps as dicts, intervals as timedelta (a month counts 30 days, as in DuckDB's comparisons)."""
    if pa.types.is_interval(column.type):
        return [None if v is None else _timedelta(v) for v in column.to_pylist()]
    values: list[Any] = (
        column.to_pylist(maps_as_pydicts="lossy") if pa.types.is_nested(column.type) else column.to_pylist()
    )
    return values


def _timedelta(value: Any) -> dt.timedelta:
    return dt.timedelta(days=30 * value.months + value.days, microseconds=value.nanoseconds // 1_000)


def _typed(function: Function, answers: list[Any], wrong: dict[int, Exception]) -> pa.Array:
    """The answers as a column; those that do not fit its type are NULL and join `wrong`."""
    dtype = function.returns
    fitting = _fitting(dtype)
    try:
        if set(map(type, answers)) <= _PLAIN.get(dtype, _NO_TYPES):
            return pa.array(answers, dtype)
        return pa.array([None if answer is None else fitting(answer) for answer in answers], dtype)
    except _REFUSALS:  # one of them at least does not fit, or not as it is
        pass
    fitted: list[Any] = []
    for row, answer in enumerate(answers):
        try:
            value = None if answer is None else fitting(answer)
            pa.array([value], dtype)
        except _REFUSALS as error:
            wrong.setdefault(row, _no_fit(answer, dtype, error))
            value = None
        fitted.append(value)
    return pa.array(fitted, dtype)


def _no_fit(answer: Any, dtype: pa.DataType, error: Exception) -> AnswerError:
    refused = AnswerError(f"returned {answer!r}, which is no {sql_type(dtype)}")
    refused.__cause__ = error
    return refused


def _fitting(dtype: pa.DataType) -> Callable[[Any], Any]:
    """What makes of a Python answer one that Arrow takes for the type; raises one of `_REFUSALS` where none does."""
    if pa.types.is_integer(dtype):
        return _integer
    if pa.types.is_floating(dtype):
        return lambda value: float(_number(value))
    if pa.types.is_decimal(dtype):
        quantum = Decimal(1).scaleb(-dtype.scale)
        return lambda value: _decimal(_number(value), quantum)
    if pa.types.is_string(dtype):
        return lambda value: str(value) if isinstance(value, uuid.UUID) else value
    return lambda value: value


def _number(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError("not a number")
    return value


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):  # Arrow would cut the fraction off
        raise ValueError("not a whole number")
    return int(number)


def _decimal(value: Any, quantum: Decimal) -> Decimal:
    """Rounded half up, as DuckDB casts; a float by its shortest text."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    return number.quantize(quantum, ROUND_HALF_UP, _WIDE)


# -- columns at a time ----------------------------------------------------------------------------------------------


def _run_columns(function: Function, columns: list[pa.Array], count: int) -> tuple[pa.Array, dict[int, Exception]]:
    wrong: dict[int, Exception] = {}
    pieces: list[pa.Array] = []

    def run(start: int, rows: int) -> None:
        try:
            pieces.append(_call_columns(function, [column.slice(start, rows) for column in columns], rows))
        except Exception as error:  # noqa: BLE001 (as above; halved until the rows at fault stand alone)
            if rows == 1:
                wrong[start] = error
                pieces.append(pa.nulls(1, function.returns))
                return
            run(start, rows // 2)
            run(start + rows // 2, rows - rows // 2)

    run(0, count)
    return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces), wrong


def _call_columns(function: Function, columns: list[pa.Array], rows: int) -> pa.Array:
    form = function.form
    given = [_shaped(column, form) for column in columns]
    answer = function.call(*given)
    if isinstance(answer, (pa.Scalar, str, bytes)) or not hasattr(answer, "__len__"):
        raise AnswerError(f"returned {type(answer).__name__}, which is no column")
    if len(answer) != rows:
        raise AnswerError(f"returned {len(answer)} values for {rows} rows")
    array = _whole(answer) if isinstance(answer, (pa.Array, pa.ChunkedArray)) else pa.array(answer)
    try:
        return array if array.type.equals(function.returns) else array.cast(function.returns)
    except _REFUSALS as error:
        what = f"{sql_type(function.returns)} ({error})"
        raise AnswerError(f"returned a column of {array.type}, which is no {what}") from error


def _shaped(column: pa.Array, form: str) -> Any:
    if form == "arrow":
        return column
    return column.to_pandas() if form == "pandas" else column.to_numpy(zero_copy_only=False)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
