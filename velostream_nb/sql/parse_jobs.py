"""Readers of the statements that start and steer jobs, and of INSERT INTO."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict

from sqlglot import exp

from velostream_nb.core.errors import ParseError, Place, UnsupportedError
from velostream_nb.sql.cursor import Cursor, is_word
from velostream_nb.sql.lex import place_at
from velostream_nb.sql.query import read_expression, read_query
from velostream_nb.sql.refused import refuse
from velostream_nb.sql.statements import AlterJob, ControlJob, InsertRows, Query, StartJob, Statement

OUTPUT_OPTION = "output.topic"
STREAM_TOPIC_OPTION = "topic"
JOB_EXAMPLE = "START JOB spikes AS SELECT … FROM market_data WITH ('output.topic' = 'spikes')"

_ALTER_EXAMPLE = "ALTER JOB spikes SET limit = 5"
_INSERT_EXAMPLE = "INSERT INTO alerts SELECT * FROM market_data WHERE price > 100"
_VALUES_EXAMPLE = "INSERT INTO limits VALUES ('T1', 100), ('T2', 250)"
_ALTERED_ELSEWHERE = ("TABLE", "STREAM", "VIEW", "TOPIC", "DATABASE", "SCHEMA", "SEQUENCE", "TYPE", "INDEX")
_AFTER_VALUES = ("where", "limit", "offset", "order", "alias", "joins")


class Base(TypedDict):
    """What every statement has; see `statements.Statement`."""

    text: str
    place: Place
    annotations: Mapping[str, str]


def read_start(cursor: Cursor, base: Base) -> StartJob:
    """``START [OR REPLACE] JOB j [WITH (…)] AS SELECT …``."""
    cursor.expect("START")
    or_replace = cursor.accept("OR", "REPLACE")
    cursor.expect("JOB", hint=f"for example {JOB_EXAMPLE}")
    name = cursor.name("a job", example=JOB_EXAMPLE)
    options = cursor.options() if cursor.accept("WITH") else {}
    return read_job_as(cursor, base, name, options, or_replace=or_replace)


def read_job_as(
    cursor: Cursor,
    base: Base,
    name: str,
    options: dict[str, str],
    *,
    or_replace: bool = False,
    of_stream: bool = False,
) -> StartJob:
    """``AS SELECT … [WITH (…)]``, with the options that stood before it; a stream's 'topic' is the job's output."""
    cursor.expect("AS", hint=f"for example {JOB_EXAMPLE}")
    query, options = _query_with_options(cursor, options)
    if of_stream and STREAM_TOPIC_OPTION in options and OUTPUT_OPTION not in options:
        options[OUTPUT_OPTION] = options.pop(STREAM_TOPIC_OPTION)
    output = options.get(OUTPUT_OPTION, name)
    params = cursor.given()
    return StartJob(
        **base, name=name, query=query, output=output, options=options, or_replace=or_replace, params=params
    )


def _query_with_options(cursor: Cursor, options: dict[str, str]) -> tuple[Query, dict[str, str]]:
    start = cursor.place()
    query, tail = read_query(cursor)
    for key in tail.options or {}:
        if key in options:
            raise ParseError(f"the option '{key}' is given before the query and after it", place=start)
    return query, {**options, **(tail.options or {})}


def read_insert(cursor: Cursor, base: Base) -> StartJob | InsertRows:
    """``INSERT INTO t [WITH (…)] SELECT …`` and ``INSERT INTO t [(columns)] VALUES …``."""
    cursor.expect("INSERT")
    cursor.expect("INTO", hint=f"for example {_INSERT_EXAMPLE}")
    name = cursor.name("a topic", example=_INSERT_EXAMPLE)
    listed = cursor.sees("(") and cursor.peek(1).word not in ("SELECT", "WITH", "FROM", "VALUES")
    at = cursor.place()
    columns = cursor.names(example=_VALUES_EXAMPLE) if listed else ()
    if cursor.sees("VALUES"):
        places = _cells(cursor)
        rows = _values(cursor, columns)
        return InsertRows(**base, name=name, columns=columns, rows=rows, places=places, source=cursor.text)
    if columns:
        raise UnsupportedError(
            "INSERT INTO … SELECT takes no column list",
            hint="the SELECT's columns go by their names: " + ", ".join(f"… AS {c}" for c, _ in columns[:3]),
            place=at,
        )
    options: dict[str, str] = {}
    if cursor.sees("WITH", "("):
        cursor.next()
        options = cursor.options()
    query, options = _query_with_options(cursor, options)
    if options.get(OUTPUT_OPTION, name) != name:
        raise ParseError(
            f"INSERT INTO {name} and '{OUTPUT_OPTION}' = '{options[OUTPUT_OPTION]}' differ",
            hint="leave the option out",
            place=base["place"],
        )
    return StartJob(
        **base,
        name=f"insert_into_{name}",
        query=query,
        output=name,
        options=options,
        params=cursor.given(),
        insert=True,
    )


def _cells(cursor: Cursor) -> tuple[tuple[Place, ...], ...]:
    """Where each value of the VALUES list that comes next stands; the cursor does not move."""
    rows, at = [], cursor.at + 1
    while is_word(cursor.tokens, at, "("):
        close = cursor.pairs[at]
        rows.append(tuple(_parts(cursor, at + 1, close)))
        at = close + (2 if is_word(cursor.tokens, close + 1, ",") else 1)
    return tuple(rows)


def _parts(cursor: Cursor, start: int, stop: int) -> Iterator[Place]:
    first = at = start
    while at <= stop:
        if at == stop or is_word(cursor.tokens, at, ","):
            if at > first:
                yield place_at(cursor.text, cursor.tokens[first].start, cursor.tokens[at - 1].end)
            first = at + 1
        at = cursor.pairs.get(at, at) + 1


def _values(cursor: Cursor, columns: tuple[tuple[str, Place], ...]) -> tuple[tuple[exp.Expr | None, ...], ...]:
    start = cursor.place()
    query, tail = read_query(cursor)
    from_ = query.tree.args.get("from_")
    values = from_.this if isinstance(from_, exp.From) else None
    extra = [tail.options, tail.emit, *(value for name, value in query.tree.args.items() if name in _AFTER_VALUES)]
    if not isinstance(values, exp.Values) or any(extra) or any(values.args.get(name) for name in _AFTER_VALUES):
        raise ParseError("nothing may follow the rows of VALUES", hint=f"for example {_VALUES_EXAMPLE}", place=start)
    rows = tuple(
        tuple(
            None if isinstance(cell, exp.Var) and cell.name.upper() == "DEFAULT" else cell for cell in row.expressions
        )
        for row in values.expressions
    )
    wanted = len(columns) or len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != wanted:
            than = f"{len(columns)} columns are named" if columns else f"row 1 has {wanted}"
            raise ParseError(
                f"row {number} of VALUES has {len(row)} values, and {than}",
                hint="give every row one value a column; NULL or DEFAULT for none",
                place=start,
            )
    return rows


def number_inserts(statements: Iterable[Statement]) -> list[Statement]:
    """The statements with a name of its own for each INSERT INTO … SELECT into the same topic."""
    seen: dict[str, int] = {}
    numbered: list[Statement] = []
    for statement in statements:
        if isinstance(statement, StartJob) and statement.insert:
            count = seen[statement.name] = seen.get(statement.name, 0) + 1
            if count > 1:
                statement = dataclasses.replace(statement, name=f"{statement.name}_{count}")
        numbered.append(statement)
    return numbered


def read_control(cursor: Cursor, base: Base) -> ControlJob:
    """``STOP|PAUSE|RESUME|RESTART|DROP JOB j``."""
    action = cursor.next().text.lower()
    example = f"{action.upper()} JOB spikes"
    cursor.expect("JOB", hint=f"for example {example}")
    return ControlJob(**base, action=action, name=cursor.name("a job", example=example))


def read_alter(cursor: Cursor, base: Base) -> AlterJob:
    """``ALTER JOB j SET name = value [, …]``; a name may be written with its ``$``."""
    if cursor.peek(1).word in _ALTERED_ELSEWHERE:
        raise refuse(cursor)
    cursor.expect("ALTER")
    cursor.expect("JOB", hint=f"for example {_ALTER_EXAMPLE}")
    name = cursor.name("a job", example=_ALTER_EXAMPLE)
    cursor.expect("SET", hint=f"for example {_ALTER_EXAMPLE}")
    values: dict[str, tuple[exp.Expr, Place]] = {}
    while True:
        token = cursor.next()
        if token.kind not in ("word", "param", "quoted"):
            raise cursor.error("expected the name of a parameter", hint=f"for example {_ALTER_EXAMPLE}", token=token)
        parameter = token.value.removeprefix("$")
        if parameter in values:
            raise ParseError(f"{parameter} is set twice", place=cursor.place(token))
        cursor.expect("=", hint=f"for example {_ALTER_EXAMPLE}")
        values[parameter] = read_expression(cursor, what=f"the new value of {parameter}"), cursor.place(token)
        if not cursor.accept(","):
            break
    return AlterJob(**base, name=name, values=values, source=cursor.text)
