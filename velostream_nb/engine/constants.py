"""Expressions without rows: what INSERT INTO … VALUES inserts, what ALTER JOB sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

from velostream_nb.core.errors import BindError
from velostream_nb.core.functions import Function
from velostream_nb.core.types import field_type, sql_type
from velostream_nb.engine.duck import Duck, EvaluationError, quoted

_DAY_US = 86_400_000_000


class Constants:
    """Evaluates expressions that read no rows, with DuckDB's functions and nothing of the machine.

    Use as a context manager; not shared between threads.

    Args:
        functions: Python functions in sight, by lower-case name.
    """

    def __init__(self, functions: Mapping[str, Function] | None = None) -> None:
        self._functions = functions

    def __enter__(self) -> Constants:
        self._duck = Duck(functions=self._functions)
        self._duck.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self._duck.close()

    def value(self, sql: str) -> Any:
        """The value of one expression: None, a number, text, bytes, a time, a `timedelta`, a list or a dict.

        Raises:
            BindError: an unknown name or function, a wrong type, a value that cannot be computed.
        """
        return _plain(self._arrow(f"SELECT {sql}").column(0)[0].as_py())

    def rows(self, rows: Sequence[Sequence[str]], fields: Sequence[pa.Field]) -> pa.Table:
        """Rows of expressions, each cast to the type of its field as an INSERT does it.

        Raises:
            BindError: as `value`.
        """
        lines = (", ".join(_cast(cell, field) for cell, field in zip(row, fields, strict=True)) for row in rows)
        names = quoted([field.name for field in fields])
        table = self._arrow(f"SELECT * FROM (VALUES {', '.join(f'({line})' for line in lines)}) AS t({names})")
        return table.cast(pa.schema([field.with_nullable(True) for field in fields]))

    def _arrow(self, sql: str) -> pa.Table:
        self._duck.schema_of(sql)  # says what is unknown in our words
        try:
            return self._duck.evaluate(sql)
        except EvaluationError as error:
            raise BindError(error.message) from error


def _cast(cell: str, field: pa.Field) -> str:
    """The expression as the declared type, in the type that stands for it inside (JSON and UUID are texts)."""
    declared, inside = field_type(field), sql_type(field.type)
    return f"CAST({cell} AS {inside})" if declared == inside else f"CAST(CAST({cell} AS {declared}) AS {inside})"


def _plain(value: Any) -> Any:
    if isinstance(value, pa.MonthDayNano):
        months, days, ns = value
        return value if months else timedelta(microseconds=days * _DAY_US + ns // 1_000)
    return value
