"""Whole numbers on their way out: DuckDB widens every sum of integers to HUGEINT, which no notebook wants to see.

A job shows them as BIGINT, unless it reads a HUGEINT (or DECIMAL(38,0)) column or casts to one: then they stay as they
are, all of them, because what they are is known before the first row and must not change with it.
"""

from __future__ import annotations

import re

import pyarrow as pa

from velostream_nb.core.errors import BindError, JobFailedError, SchemaError
from velostream_nb.core.types import HUGEINT, sql_type
from velostream_nb.sql.plan import JobPlan, Source, Table, texts, walk

_WIDE = re.compile(r"\b(?:HUGEINT|INT128|DECIMAL\(38, ?0\))", re.IGNORECASE)


def stays_wide(plan: JobPlan) -> bool:
    """Whether HUGEINT columns of the plan's output are shown as such."""
    for node in walk(plan.root):
        if isinstance(node, Source | Table) and any(
            node.stream.schema.columns.field(name).type == HUGEINT for name in node.columns
        ):
            return True
    return any(_WIDE.search(text) for text in texts(plan.root))


def shown_field(field: pa.Field, *, wide: bool = False) -> pa.Field:
    """The field as it is shown: HUGEINT as BIGINT unless `wide`.

    Raises:
        BindError: records cannot carry values of its type.
    """
    if field.type == HUGEINT:
        return field if wide else field.with_type(pa.int64())
    try:
        sql_type(field.type)
    except SchemaError as error:
        raise BindError(
            f"column {field.name} is a {field.type}, which records cannot carry",
            hint=f"CAST({field.name} AS VARCHAR), or select its parts",
        ) from error
    return field


def whole_numbers(rows: pa.Table) -> pa.Table:
    """The rows with HUGEINT columns as BIGINT.

    Raises:
        JobFailedError: a value does not fit; rounding it silently would be a wrong answer.
    """
    for index, field in enumerate(rows.schema):
        if field.type == HUGEINT:
            try:
                rows = _narrowed(rows, index, field)
            except pa.ArrowInvalid as error:
                name = field.name
                raise JobFailedError(
                    f"a value of {name} does not fit into BIGINT",
                    hint=f"CAST({name} AS HUGEINT) keeps all digits, CAST({name} AS DOUBLE) the first 15",
                ) from error
    return rows


def numbers_that_fit(rows: pa.Table) -> pa.Table:
    """The rows with those HUGEINT columns as BIGINT whose values all fit: for answers that are given once."""
    for index, field in enumerate(rows.schema):
        if field.type == HUGEINT:
            try:
                rows = _narrowed(rows, index, field)
            except pa.ArrowInvalid:
                continue
    return rows


def _narrowed(rows: pa.Table, index: int, field: pa.Field) -> pa.Table:
    return rows.set_column(index, shown_field(field), rows.column(index).cast(pa.int64()))
