"""Readers of the statements that declare and forget names: CREATE and DROP of streams, tables and views."""

from __future__ import annotations

import dataclasses

import pyarrow as pa
from sqlglot import exp

from velostream_nb.core.errors import Place, SqlError, UnsupportedError, did_you_mean
from velostream_nb.sql.columns import COLUMNS_EXAMPLE, make_schema, read_columns
from velostream_nb.sql.cursor import Cursor
from velostream_nb.sql.parse_jobs import Base, read_control, read_job_as
from velostream_nb.sql.query import read_query
from velostream_nb.sql.refused import refuse
from velostream_nb.sql.statements import CreateStream, CreateView, Drop, LoadTable, Query, Statement

KINDS = ("STREAM", "TABLE", "VIEW")

_EXAMPLES = {
    "STREAM": "CREATE STREAM market_data (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP)",
    "TABLE": "CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader))",
    "VIEW": "CREATE VIEW dear AS SELECT * FROM market_data WHERE price > 100",
}
_FILE_EXAMPLE = "CREATE TABLE sectors FROM 'sectors.csv'"


@dataclasses.dataclass(frozen=True, slots=True)
class _Head:
    """``CREATE [OR REPLACE] kind [IF NOT EXISTS] name``."""

    name: str
    at: Place
    or_replace: bool
    if_not_exists: bool


def read_create(cursor: Cursor, base: Base) -> Statement:
    """Every CREATE that is ours; the others are refused by name."""
    ahead = 3 if cursor.peek(1).word == "OR" else 1
    kind = cursor.peek(ahead).word
    if kind not in KINDS:
        raise _refuse_kind(cursor, "CREATE", *KINDS, ahead=ahead)
    cursor.expect("CREATE")
    or_replace = cursor.accept("OR", "REPLACE")
    cursor.expect(kind)
    missing_only = cursor.accept("IF", "NOT", "EXISTS")
    at = cursor.place()
    head = _Head(cursor.name(f"a {kind.lower()}", example=_EXAMPLES[kind]), at, or_replace, missing_only)
    return {"STREAM": _stream, "TABLE": _table, "VIEW": _view}[kind](cursor, base, head)


def _stream(cursor: Cursor, base: Base, head: _Head) -> Statement:
    columns = read_columns(cursor) if cursor.sees("(") else None
    place = cursor.place()
    options = cursor.options() if cursor.accept("WITH") else {}
    if cursor.sees("AS"):
        if columns is not None or head.if_not_exists:
            what = "a column list" if columns is not None else "IF NOT EXISTS"
            hint = "the SELECT gives the columns" if columns is not None else "write CREATE OR REPLACE STREAM"
            raise UnsupportedError(f"{what} cannot stand with AS SELECT", hint=hint, place=head.at)
        return read_job_as(cursor, base, head.name, options, or_replace=head.or_replace, of_stream=True)
    if columns is None:
        raise cursor.error("expected columns, or AS SELECT", hint=f"{COLUMNS_EXAMPLE} WITH ('topic' = '{head.name}')")
    schema = make_schema(columns, options, place)
    return CreateStream(
        **base,
        name=head.name,
        schema=schema,
        options=options,
        if_not_exists=head.if_not_exists,
        or_replace=head.or_replace,
    )


def _table(cursor: Cursor, base: Base, head: _Head) -> Statement:
    opening = cursor.peek()
    from_file = cursor.follows("FROM") if cursor.sees("(") else cursor.sees("FROM")
    columns = read_columns(cursor, key_alone=from_file) if cursor.sees("(") else None
    end = cursor.place()
    if cursor.sees("AS"):
        raise UnsupportedError(
            "CREATE TABLE … AS SELECT is not supported",
            hint=f"write CREATE STREAM {head.name} AS SELECT … GROUP BY k: what a GROUP BY writes is read as a table",
            place=cursor.place(),
        )
    if cursor.accept("FROM"):
        file, at = _file(cursor)
        options = cursor.options() if cursor.accept("WITH") else {}
        declared = columns is not None and bool(columns.fields)
        return LoadTable(
            **base,
            name=head.name,
            file=file,
            file_place=at,
            schema=make_schema(columns, {}, end) if columns is not None and declared else None,
            key=tuple(columns.key) if columns is not None else (),
            options=options,
            if_not_exists=head.if_not_exists,
            or_replace=head.or_replace,
        )
    if columns is None:
        raise cursor.error("expected columns, or FROM 'file'", hint=f"{_EXAMPLES['TABLE']}, or {_FILE_EXAMPLE}")
    if not columns.key:
        written = cursor.text[opening.end : cursor.tokens[cursor.at - 1].start].rstrip().rstrip(",")
        raise UnsupportedError(
            f"table {head.name} has no primary key, and a table is the latest row per key",
            hint=f"CREATE TABLE {head.name} ({' '.join(written.split())}, PRIMARY KEY ({columns.fields[0].name})); "
            f"or CREATE STREAM {head.name} (…), which keeps every row",
            place=head.at,
        )
    options = cursor.options() if cursor.accept("WITH") else {}
    schema = make_schema(columns, options, end)
    nullable = [f.with_nullable(False) if f.name in schema.key else f for f in schema.columns]
    return CreateStream(
        **base,
        name=head.name,
        schema=dataclasses.replace(schema, columns=pa.schema(nullable), changelog="upsert"),
        options=options,
        if_not_exists=head.if_not_exists,
        or_replace=head.or_replace,
        table=True,
    )


def _file(cursor: Cursor) -> tuple[str, Place]:
    token = cursor.next()
    if token.kind not in ("string", "escaped", "dollar") or not token.value.strip():
        raise cursor.error("expected a file's path in quotes", hint=f"for example {_FILE_EXAMPLE}", token=token)
    return token.value, cursor.place(token)


def _view(cursor: Cursor, base: Base, head: _Head) -> CreateView:
    columns = cursor.names(example=_EXAMPLES["VIEW"]) if cursor.sees("(") else ()
    cursor.expect("AS", hint=f"for example {_EXAMPLES['VIEW']}")
    at = cursor.place()
    query, tail = read_query(cursor)
    if tail.options is not None or query.emit is not None:
        what = "WITH (…) options" if tail.options is not None else "EMIT"
        raise UnsupportedError(
            f"{what} cannot stand in a view",
            hint=f"a view is a query by name; write it where the view is used: SELECT * FROM {head.name} …",
            place=at,
        )
    if columns:
        names = [exp.to_identifier(name, quoted=True) for name, _ in columns]
        alias = exp.TableAlias(this=exp.to_identifier(head.name, quoted=True), columns=names)
        tree = exp.select("*").from_(exp.Subquery(this=query.tree, alias=alias))
        query = Query(tree=tree, source=query.source)
    return CreateView(**base, name=head.name, query=query, if_not_exists=head.if_not_exists, or_replace=head.or_replace)


def read_drop(cursor: Cursor, base: Base) -> Statement:
    """``DROP STREAM|TABLE|VIEW [IF EXISTS] s`` and ``DROP JOB j``."""
    kind = cursor.peek(1).word
    if kind == "JOB":
        return read_control(cursor, base)
    if kind not in KINDS:
        raise _refuse_kind(cursor, "DROP", *KINDS, "JOB", ahead=1)
    cursor.expect("DROP", kind)
    if_exists = cursor.accept("IF", "EXISTS")
    name = cursor.name(f"a {kind.lower()}", example=f"DROP {kind} market_data")
    return Drop(**base, name=name, kind=kind.lower(), if_exists=if_exists)


def _refuse_kind(cursor: Cursor, verb: str, *kinds: str, ahead: int) -> SqlError:
    """CREATE or DROP of something else: refused by name when it is known SQL, near words otherwise."""
    known = refuse(cursor)
    if isinstance(known, UnsupportedError):
        return known
    token = cursor.peek(ahead)
    hint = did_you_mean(token.text, kinds) or f"for example {verb} STREAM market_data"
    return cursor.error(f"expected {', '.join(kinds[:-1])} or {kinds[-1]} after {verb}", hint=hint, token=token)
