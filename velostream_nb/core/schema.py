"""Stream schemas: columns with DuckDB type names, the event-time column, the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from velostream_nb.core.errors import SchemaError, did_you_mean
from velostream_nb.core.types import declared_type

TIME_NAMES = ("timestamp", "event_time", "ts")
"""Names that make a column the event time when no `'event.time.field'` is given, in order of preference."""


@dataclass(frozen=True, slots=True)
class StreamSchema:
    """What a topic's records look like.

    Attributes:
        columns: the user's columns as an Arrow schema. Event time columns are ``timestamp[us]``.
        time_column: the column that carries event time; None means the broker's timestamp is used.
        key: columns that form the record key, () when there is none.
        changelog: how the records are to be read: None, each is a row; 'upsert', each is the newest row of its key (or
            deletes it); 'retract', each adds a row or takes an equal one out. See `records.OP`.
        inferred: nobody declared the columns: they were told from the first records, or are what a job makes of such
            ones. A number that such a column cannot hold widens it (see `records.Decoded.widen`).
        declared: by column, what was declared beyond its Arrow type (`core.types.declared_type`).
        time_format: how a number in the time column is read; only 'epoch_ms' today. In JSON every column of
            type TIMESTAMP is a number of epoch milliseconds, or an ISO-8601 text.
    """

    columns: pa.Schema
    time_column: str | None = None
    key: tuple[str, ...] = ()
    time_format: str = "epoch_ms"
    options: Mapping[str, str] = field(default_factory=dict)
    changelog: str | None = None
    inferred: bool = False
    declared: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Arrow finds schemas equal that differ in this alone
        object.__setattr__(self, "declared", tuple(map(declared_type, self.columns)))

    @property
    def names(self) -> list[str]:
        return list(self.columns.names)

    def require(self, column: str, *, what: str = "column") -> pa.Field:
        """The field of that name (exact, then case-insensitive); SchemaError with near names otherwise."""
        for name in self.columns.names:
            if name == column:
                return self.columns.field(name)
        for name in self.columns.names:
            if name.lower() == column.lower():
                return self.columns.field(name)
        raise SchemaError(f"unknown {what} {column!r}", hint=did_you_mean(column, self.columns.names))


def guess_time_column(columns: pa.Schema) -> str | None:
    """The event-time column by its name and type (timestamp, date or integer), or None.

    Integers count because JSON carries event time as epoch milliseconds.
    """
    for wanted in TIME_NAMES:
        for name in columns.names:
            kind = columns.field(name).type
            if name.lower() == wanted and (pa.types.is_timestamp(kind) or pa.types.is_integer(kind)):
                return str(name)
    return None
