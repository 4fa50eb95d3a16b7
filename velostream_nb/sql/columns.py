"""Column definitions of CREATE STREAM and CREATE TABLE to a `StreamSchema`: types, key, event time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from velostream_nb.core.errors import ParseError, Place, SchemaError, UnsupportedError, did_you_mean
from velostream_nb.core.records import HIDDEN
from velostream_nb.core.schema import StreamSchema, guess_time_column
from velostream_nb.core.types import TIMESTAMP, arrow_field
from velostream_nb.sql.cursor import Cursor, is_word
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.lex import place_at

COLUMNS_EXAMPLE = "for example (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP)"
TIME_OPTION = "event.time.field"
DELAY_OPTION = "watermark.delay"

_TYPE_ENDS = ("NOT", "NULL", "PRIMARY", "KEY", "DEFAULT", "CHECK", "UNIQUE", "REFERENCES", "COLLATE", "GENERATED",
              "AS", "METADATA", "COMMENT")  # fmt: skip


@dataclass(slots=True)
class Columns:
    """What stands in the brackets of CREATE STREAM, before the WITH options are known.

    Attributes:
        time: of ``WATERMARK FOR time AS …``, with its place.
        delay_us: how far the watermark stays behind; None when no WATERMARK is written.
    """

    fields: list[pa.Field] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    time: tuple[str, Place] | None = None
    delay_us: int | None = None

    def name_of(self, name: str, place: Place, *, what: str = "column") -> str:
        """The declared spelling of a column's name; ParseError with near names."""
        for found in self.fields:
            if found.name.lower() == name.lower():
                return str(found.name)
        raise ParseError(
            f"unknown {what} {name!r}", hint=did_you_mean(name, [found.name for found in self.fields]), place=place
        )


def read_columns(cursor: Cursor, *, key_alone: bool = False) -> Columns:
    """``(name TYPE [NOT NULL] [[PRIMARY] KEY], …, PRIMARY KEY (a, b), WATERMARK FOR ts AS ts - INTERVAL …)``.

    A primary key is NOT NULL; a plain KEY may be NULL.

    Args:
        key_alone: a key without columns will do; its names are then as written.

    Raises:
        ParseError: malformed, an unknown type, a name given twice.
        UnsupportedError: DEFAULT, CHECK and other constraints.
    """
    cursor.expect("(", hint=COLUMNS_EXAMPLE)
    columns = Columns()
    constraints: list[tuple[str, Place, bool]] = []
    while not cursor.accept(")"):
        if cursor.sees("WATERMARK", "FOR"):
            _watermark(cursor, columns)
        elif cursor.sees("PRIMARY", "KEY") or cursor.sees("KEY", "("):
            primary = cursor.accept("PRIMARY")
            cursor.expect("KEY")
            constraints += [(name, place, primary) for name, place in _name_list(cursor)]
        else:
            _column(cursor, columns)
        if not cursor.sees(")"):
            cursor.expect(",", hint=COLUMNS_EXAMPLE)
    if key_alone and constraints and not columns.fields:
        columns.key = [name for name, _, _ in constraints]
        return columns
    for name, place, primary in constraints:
        _add_key(columns, columns.name_of(name, place), primary=primary)
    if not columns.fields:
        raise cursor.error("a stream has at least one column", hint=COLUMNS_EXAMPLE)
    return columns


def make_schema(columns: Columns, options: dict[str, str], place: Place) -> StreamSchema:
    """The schema; a WATERMARK's delay goes to ``options['watermark.delay']`` as whole microseconds (``5000000us``).

    The event-time column is the one of 'event.time.field', else of WATERMARK FOR, else guessed by name. An integer or
    zoned timestamp so named becomes TIMESTAMP.

    Raises:
        ParseError: no such column, one that is no time, or two different ones.
    """
    time: str | None = None
    if TIME_OPTION in options:
        time = columns.name_of(options[TIME_OPTION], place, what=f"'{TIME_OPTION}'")
    if columns.time is not None:
        marked = columns.name_of(*columns.time)
        if time is not None and marked != time:
            raise ParseError(f"WATERMARK FOR {marked} and '{TIME_OPTION}' = '{time}' differ", place=columns.time[1])
        time = marked
    if columns.delay_us is not None:
        if DELAY_OPTION in options:
            raise ParseError(f"give WATERMARK FOR or '{DELAY_OPTION}', not both", place=place)
        options[DELAY_OPTION] = f"{columns.delay_us}us"
    time = time or guess_time_column(pa.schema(columns.fields))
    fields = [_as_time(f, place) if f.name == time else f for f in columns.fields]
    return StreamSchema(columns=pa.schema(fields), time_column=time, key=tuple(columns.key))


def _as_time(column: pa.Field, place: Place) -> pa.Field:
    if not (pa.types.is_timestamp(column.type) or pa.types.is_integer(column.type)):
        raise ParseError(
            f"column {column.name!r} of type {column.type} cannot be the event time",
            hint="declare it as TIMESTAMP, or as BIGINT for epoch milliseconds",
            place=place,
        )
    return column.with_type(TIMESTAMP)


def _column(cursor: Cursor, columns: Columns) -> None:
    token = cursor.next()
    if token.kind not in ("word", "quoted"):
        raise cursor.error("expected a column's name", hint=COLUMNS_EXAMPLE, token=token)
    name, place = token.value, cursor.place(token)
    if not name:
        raise ParseError("a column's name cannot be empty", place=place)
    if name.lower() in HIDDEN:
        raise ParseError(f"the column name {name!r} is taken by the engine", hint="choose another", place=place)
    if any(name.lower() == found.name.lower() for found in columns.fields):
        raise ParseError(f"the column {name!r} is declared twice", place=place)
    columns.fields.append(_typed(cursor, name))
    while not cursor.sees_any((",", ")")):
        if cursor.accept("NOT", "NULL"):
            columns.fields[-1] = columns.fields[-1].with_nullable(False)
        elif cursor.accept("NULL"):
            continue
        elif cursor.accept("PRIMARY", "KEY"):
            _add_key(columns, name, primary=True)
        elif cursor.accept("KEY"):
            _add_key(columns, name, primary=False)
        elif cursor.sees_any(_TYPE_ENDS):
            raise UnsupportedError(
                f"{cursor.peek().word} is not part of a stream's column",
                hint="a column takes a type, NOT NULL and PRIMARY KEY; compute and check in the SELECT",
                place=cursor.place(),
            )
        else:
            raise cursor.error("expected , or )", hint=COLUMNS_EXAMPLE)


def _typed(cursor: Cursor, name: str) -> pa.Field:
    """The column, with a type of one or more tokens as `core.types` reads it."""
    first, at = cursor.at, cursor.at
    while at < cursor.size and not is_word(cursor.tokens, at, ",", ")", *_TYPE_ENDS):
        at = cursor.pairs.get(at, at) + 1
    if at == first:
        raise cursor.error(f"column {name!r} needs a type", hint=COLUMNS_EXAMPLE)
    low, high = cursor.tokens[first].start, cursor.tokens[at - 1].end
    cursor.at = at
    try:
        return arrow_field(name, " ".join(token.text for token in cursor.tokens[first:at]))
    except SchemaError as error:
        raise ParseError(error.message, hint=error.hint, place=place_at(cursor.text, low, high)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ParseError("this type cannot be read", place=place_at(cursor.text, low, high)) from error


def _add_key(columns: Columns, name: str, *, primary: bool) -> None:
    if name not in columns.key:
        columns.key.append(name)
    if primary:
        columns.fields = [f.with_nullable(False) if f.name == name else f for f in columns.fields]


def _name_list(cursor: Cursor) -> list[tuple[str, Place]]:
    cursor.expect("(", hint="for example PRIMARY KEY (symbol)")
    names = []
    while not cursor.accept(")"):
        token = cursor.next()
        if token.kind not in ("word", "quoted"):
            raise cursor.error("expected a column's name", hint="for example PRIMARY KEY (symbol)", token=token)
        names.append((token.value, cursor.place(token)))
        if not cursor.sees(")"):
            cursor.expect(",")
    return names


def _watermark(cursor: Cursor, columns: Columns) -> None:
    """``WATERMARK FOR ts [AS ts [- INTERVAL '5' SECOND]]``."""
    example = "for example WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
    if columns.time is not None:
        raise cursor.error("a stream has one WATERMARK")
    cursor.expect("WATERMARK", "FOR")
    token = cursor.next()
    if token.kind not in ("word", "quoted"):
        raise cursor.error("expected the event-time column", hint=example, token=token)
    columns.time, columns.delay_us = (token.value, cursor.place(token)), 0
    if not cursor.accept("AS"):
        return
    again = cursor.next()
    if again.value.lower() != token.value.lower():
        raise cursor.error(f"expected {token.value}", hint=example, token=again)
    if cursor.accept("-"):
        start = cursor.peek()
        columns.delay_us = parse_duration_us(cursor.option_value(), place=cursor.place(start))
        if columns.delay_us < 0:
            raise ParseError("a watermark cannot run ahead of its rows", hint=example, place=cursor.place(start))
