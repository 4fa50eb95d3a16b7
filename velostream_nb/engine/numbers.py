"""Whole numbers on their way out: DuckDB widens every sum of integers to HUGEINT, which no notebook wants to see."""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.errors import JobFailedError

_HUGEINT = pa.decimal128(38, 0)


def shown_field(field: pa.Field) -> pa.Field:
    """The field as it is shown: HUGEINT as BIGINT."""
    return field.with_type(pa.int64()) if field.type == _HUGEINT else field


def whole_numbers(rows: pa.Table) -> pa.Table:
    """The rows with HUGEINT columns as BIGINT.

    Raises:
        JobFailedError: a value does not fit; rounding it silently would be a wrong answer.
    """
    for index, field in enumerate(rows.schema):
        if field.type == _HUGEINT:
            try:
                rows = rows.set_column(index, shown_field(field), rows.column(index).cast(pa.int64()))
            except pa.ArrowInvalid as error:
                raise JobFailedError(
                    f"a value of {field.name} does not fit into BIGINT", hint=f"CAST({field.name} AS DOUBLE)"
                ) from error
    return rows
