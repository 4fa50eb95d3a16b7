"""``INSERT INTO t VALUES``: rows of constant expressions, typed by the columns of the stream or table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from velostream_nb.core.errors import BindError, SqlError, did_you_mean
from velostream_nb.core.functions import Function
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import field_type
from velostream_nb.engine.constants import Constants
from velostream_nb.sql.pull import constant_sql
from velostream_nb.sql.statements import InsertRows


def inserted_rows(
    statement: InsertRows, schema: StreamSchema, *, now_us: int, functions: Mapping[str, Function] | None = None
) -> pa.Table:
    """The rows of a VALUES list, columns that were left out NULL.

    Args:
        now_us: what ``now()`` means.

    Raises:
        BindError: an unknown column, too many values, a value that is none or not of the column's type, NULL in a
            column that has none; each with its place.
    """
    fields = _targets(statement, schema)
    cells = [[_sql(cell, statement, now_us) for cell in row] for row in statement.rows]
    with Constants(functions) as constants:
        try:
            given = constants.rows(cells, fields)
        except SqlError:
            _blame(constants, cells, fields, statement)
            raise
    columns = []
    for field in schema.columns:
        at = given.schema.get_field_index(field.name)
        column = given.column(at) if at >= 0 else pa.nulls(given.num_rows, field.type)
        if column.null_count and (not field.nullable or field.name == schema.time_column):
            _refuse_null(field, at, column, statement, schema)
        columns.append(column)
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema.columns]))


def _targets(statement: InsertRows, schema: StreamSchema) -> list[pa.Field]:
    """The fields that the values are for, in their order."""
    count = len(statement.rows[0])
    if not statement.columns:
        if count != len(schema.names):
            shown = ", ".join(f"{f.name} {field_type(f)}" for f in schema.columns)
            raise BindError(
                f"{statement.name} has {len(schema.names)} columns ({shown}), and a row of VALUES has {count}",
                hint=f"name the columns: INSERT INTO {statement.name} ({', '.join(schema.names[:count])}) VALUES …",
                place=statement.place,
            )
        return list(schema.columns)
    known = {name.lower(): name for name in schema.names}
    fields = []
    for name, place in statement.columns:
        if name.lower() not in known:
            hint = did_you_mean(name, schema.names)
            raise BindError(f"{statement.name} has no column {name!r}", hint=hint, place=place)
        fields.append(schema.columns.field(known[name.lower()]))
    return fields


def _sql(cell: object, statement: InsertRows, now_us: int) -> str:
    return "NULL" if cell is None else constant_sql(cell, statement.source, now_us)  # type: ignore[arg-type]


def _blame(
    constants: Constants, cells: Sequence[Sequence[str]], fields: Sequence[pa.Field], statement: InsertRows
) -> None:
    """Raise the error of the first cell that is at fault, at its place."""
    for number, row in enumerate(cells):
        for position, (sql, field) in enumerate(zip(row, fields, strict=True)):
            try:
                constants.rows([[sql]], [field])
            except SqlError as error:
                raise BindError(
                    f"{field.name} is {field_type(field)}: {error.message}",
                    hint=error.hint,
                    place=statement.places[number][position],
                ) from error


def _refuse_null(
    field: pa.Field, at: int, column: pa.ChunkedArray | pa.Array, statement: InsertRows, schema: StreamSchema
) -> None:
    if field.name in schema.key:
        why = "it is the primary key"
    else:
        why = "it is the event time" if field.name == schema.time_column else "it is NOT NULL"
    row = column.is_null().to_pylist().index(True)
    place = statement.place if at < 0 else statement.places[row][at]
    missing = "left out" if at < 0 else "NULL"
    raise BindError(f"{field.name} is {missing}, and {why}", hint=f"give {field.name} a value", place=place)
