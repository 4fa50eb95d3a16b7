"""Where a job writes: the topic is made, or what it is declared to be is compared with what the job gives."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from velostream_nb.core.errors import BindError, Place, did_you_mean
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import field_type
from velostream_nb.sql.plan import StreamInfo

Locate = Callable[[str], Place | None]
"""Where a query gives its column of that name, if that can be told."""


def nowhere(_column: str) -> Place | None:
    """For queries whose text is not at hand."""
    return None


def check_target(job: str, written: StreamSchema, target: StreamInfo, locate: Locate = nowhere) -> None:
    """Compare what a job writes with the declared stream or table that it writes into, column by column, by name.

    Columns that the job does not give are NULL.

    Raises:
        BindError: an unknown column (with near names), one that is missing and must not be NULL, a type that does not
            go into the declared one, changes into a stream of facts, another key than the table's.
    """
    declared = {name.lower(): name for name in target.schema.names}
    kind = "table" if target.table else "stream"
    for column in written.columns:
        # only the very name: a topic's records are read by it
        if column.name not in target.schema.names:
            meant = declared.get(column.name.lower())
            raise BindError(
                f"{kind} {target.name} has no column {column.name!r} that job {job} writes",
                hint=f"write {column.name} AS {meant}" if meant else did_you_mean(column.name, target.schema.names),
                place=locate(column.name),
            )
        wanted = target.schema.columns.field(column.name)
        if not _goes_into(column.type, wanted.type):
            declared_as, given = field_type(wanted), field_type(column)
            raise BindError(
                f"{kind} {target.name} has {column.name} {declared_as}, and job {job} writes {given}",
                hint=f"write CAST({column.name} AS {declared_as}) AS {column.name}",
                place=locate(column.name),
            )
    for field in target.schema.columns:
        if field.name not in written.names and (not field.nullable or field.name == target.schema.time_column):
            what = "the event time" if field.name == target.schema.time_column else "NOT NULL"
            raise BindError(
                f"{kind} {target.name} has the column {field.name} ({what}), which job {job} does not write",
                hint=f"add … AS {field.name} to the SELECT",
            )
    _check_changes(job, written, target)


def _check_changes(job: str, written: StreamSchema, target: StreamInfo) -> None:
    if written.changelog is None:
        return
    keys = ", ".join(written.key)
    if target.schema.changelog is None:
        key = f"PRIMARY KEY ({keys or '…'})"
        raise BindError(
            f"job {job} writes changes of its rows, and {target.name} is a stream, whose rows never change",
            hint=f"declare it as CREATE TABLE {target.name} (…, {key}); or write into a topic of the job's own: "
            f"START JOB {job} AS …",
        )
    if written.changelog != target.schema.changelog or set(written.key) != set(target.schema.key):
        mine = f"one row per ({keys})" if written.changelog == "upsert" else "rows without a key"
        raise BindError(
            f"job {job} writes {mine}, and table {target.name} has one row per ({', '.join(target.schema.key)})",
            hint="GROUP BY the table's key, and select it",
        )


def _goes_into(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of one type is one of the other."""
    kinds = pa.types
    if given == wanted or kinds.is_null(given):
        return True
    if kinds.is_integer(given):
        if kinds.is_integer(wanted):
            return bool(_bits(given) <= _bits(wanted))
        return bool(kinds.is_floating(wanted) or (kinds.is_decimal(wanted) and _whole(wanted) >= _digits(given)))
    if kinds.is_decimal(given):
        fits = kinds.is_decimal(wanted) and wanted.scale >= given.scale and _whole(wanted) >= _whole(given)
        return bool(fits or kinds.is_floating(wanted) or (given.scale == 0 and kinds.is_int64(wanted)))
    if kinds.is_floating(given):
        return bool(kinds.is_floating(wanted) and given.bit_width <= wanted.bit_width)
    if kinds.is_date(given):
        return bool(kinds.is_timestamp(wanted))
    return bool(kinds.is_timestamp(given) and kinds.is_timestamp(wanted) and (given.tz is None) == (wanted.tz is None))


def _bits(dtype: pa.DataType) -> int:
    """Of values that are not negative: an unsigned type needs one more."""
    return int(dtype.bit_width) * 2 + int(pa.types.is_unsigned_integer(dtype))


def _digits(dtype: pa.DataType) -> int:
    return len(str(2 ** int(dtype.bit_width)))


def _whole(dtype: pa.DataType) -> int:
    """Digits before the point."""
    return int(dtype.precision - dtype.scale)
