"""Values of ``$name`` parameters as SQL literals: the only way a Python value gets into a statement's text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from velostream_nb.core.errors import BindError, Place, did_you_mean
from velostream_nb.sql.lex import quote

_US = dt.timedelta(microseconds=1)


def param_value(name: str, params: Mapping[str, object] | None, place: Place) -> object:
    """The value given for ``$name``; BindError with near names when there is none."""
    given = params or {}
    if name not in given:
        raise BindError(
            f"no value was given for ${name}",
            hint=did_you_mean(name, given) or f"pass it: sql(text, {name}=…)",
            place=place,
        )
    return given[name]


def literal(value: object, *, name: str, place: Place) -> str:
    """One value as a literal that stands for itself wherever an expression may stand.

    Datetimes with a zone become UTC, because event time is UTC without a zone. NumPy and pandas scalars are taken
    as what their ``item()`` gives.

    Raises:
        BindError: a value of another type.
    """
    if value is None:
        return "NULL"
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            try:
                return write(value)
            except (ValueError, OverflowError) as cause:
                raise BindError(f"${name}: {cause}", place=place) from cause
    item = getattr(value, "item", None)
    if callable(item) and type(plain := item()) is not type(value):
        return literal(plain, name=name, place=place)
    raise BindError(
        f"${name} is a {type(value).__name__}, which has no SQL literal",
        hint="pass text, a number, a bool, None, a datetime, a date, a Decimal or a timedelta",
        place=place,
    )


def parameter_text(value: object) -> str:
    """A value that was accepted as a parameter, as SQL."""
    return literal(value, name="parameter", place=Place("", 1, 1))


def option_text(value: object) -> str:
    """One value as the text of an option: durations in microseconds, as `parse_duration_us` reads them."""
    if isinstance(value, dt.timedelta):
        return f"{value // _US}us"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("a text with a NUL character cannot be part of a statement")
    return quote(value)


def _integer(value: int) -> str:
    return f"({value})" if value < 0 else str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return f"CAST('{value}' AS DOUBLE)"
    # an exponent makes the literal DOUBLE in DuckDB, where 0.1 alone would be DECIMAL
    shown = repr(float(value))  # a NumPy float is a float, and shows itself otherwise
    shown = shown if "e" in shown else f"{shown}e0"
    return f"({shown})" if shown.startswith("-") else shown


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that DECIMAL can hold")
    shown = format(value, "f")
    return f"({shown})" if value.is_signed() else shown


def _datetime(value: dt.datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return f"CAST('{value.isoformat(sep=' ')}' AS TIMESTAMP)"


_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: "TRUE" if value else "FALSE"),  # before int: bool is one
    (int, _integer),
    (float, _number),
    (str, _text),
    (Decimal, _decimal),
    (dt.datetime, _datetime),  # before date: datetime is one
    (dt.date, lambda value: f"CAST('{value.isoformat()}' AS DATE)"),
    (dt.timedelta, lambda value: f"INTERVAL '{value // _US}' MICROSECOND"),
)
