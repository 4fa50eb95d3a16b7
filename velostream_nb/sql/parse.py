"""Text to typed statements: `parse` is what everybody calls.

One statement goes `split` → `Cursor` → a reader below; a query in it goes `spellings` (edits in the tokens) →
`dialect` (sqlglot) → `windows` (canonical form). Places in errors and trees are those of the user's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

from velostream_nb.core.errors import ParseError, Place, SqlError, UnsupportedError, did_you_mean
from velostream_nb.sql.columns import COLUMNS_EXAMPLE, make_schema, read_columns
from velostream_nb.sql.cursor import Cursor
from velostream_nb.sql.dialect import node_place, to_duckdb
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.query import QUERY_WORDS, read_query, topics_read
from velostream_nb.sql.refused import refuse
from velostream_nb.sql.split import split
from velostream_nb.sql.statements import (
    ControlJob,
    CreateStream,
    Describe,
    DropStream,
    Explain,
    Pull,
    Push,
    Query,
    Script,
    SetOption,
    Show,
    StartJob,
    Statement,
)

__all__ = ["node_place", "parse", "parse_duration_us", "to_duckdb"]

SHOWS = ("FUNCTIONS", "JOBS", "STREAMS", "TABLES", "TOPICS")
ACTIONS = ("STOP", "PAUSE", "RESUME", "RESTART")
OUTPUT_OPTION = "output.topic"
_STREAM_TOPIC_OPTION = "topic"

_JOB_EXAMPLE = "START JOB spikes AS SELECT … FROM market_data WITH ('output.topic' = 'spikes')"
_STREAM_EXAMPLE = "CREATE STREAM market_data (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP)"


class _Base(TypedDict):
    text: str
    place: Place
    annotations: Mapping[str, str]


def parse(text: str, *, params: Mapping[str, object] | None = None) -> Script:
    """Read a whole text: any number of statements, separated by semicolons.

    Args:
        text: statements and comments.
        params: values for ``$name``, put in as literals.

    Returns:
        The statements in order; an empty text gives none.

    Raises:
        ParseError: it cannot be read; with place, and what to write.
        BindError: a ``$name`` without a value.
        UnsupportedError: SQL that is read and refused by name; the hint says what to write instead.

    Examples:
        >>> [type(s).__name__ for s in parse("SHOW JOBS; STOP JOB spikes").statements]
        ['Show', 'ControlJob']
    """
    pieces, header = split(text)
    statements = []
    for piece in pieces:
        cursor = Cursor(piece, params)
        base = _Base(text=piece.text, place=piece.place, annotations=piece.annotations)
        try:
            statements.append(_statement(cursor, base))
        except RecursionError as error:
            raise SqlError("the statement is nested too deeply", place=piece.place) from error
        cursor.expect_end()
    return Script(tuple(statements), header)


def _statement(cursor: Cursor, base: _Base) -> Statement:
    reader = _READERS.get(cursor.peek().word)
    if reader is not None:
        return reader(cursor, base)
    if cursor.sees_any(QUERY_WORDS):
        return _bare_query(cursor, base)
    raise refuse(cursor)


def _create(cursor: Cursor, base: _Base) -> Statement:
    or_replace = cursor.peek(1).word == "OR"
    if cursor.peek(3 if or_replace else 1).word != "STREAM":
        raise _refuse_kind(cursor, "CREATE", "STREAM", ahead=3 if or_replace else 1)
    cursor.expect("CREATE")
    if or_replace:
        cursor.expect("OR", "REPLACE")
    cursor.expect("STREAM")
    missing_only = cursor.accept("IF", "NOT", "EXISTS")
    at = cursor.peek()
    name = cursor.name("a stream", example=_STREAM_EXAMPLE)
    columns = read_columns(cursor) if cursor.sees("(") else None
    place = cursor.place()
    options = cursor.options() if cursor.accept("WITH") else {}
    if cursor.sees("AS"):
        if columns is not None or missing_only:
            what = "a column list" if columns is not None else "IF NOT EXISTS"
            hint = "the SELECT gives the columns" if columns is not None else "write CREATE OR REPLACE STREAM"
            raise UnsupportedError(f"{what} cannot stand with AS SELECT", hint=hint, place=cursor.place(at))
        return _job_as(cursor, base, name, options, or_replace=or_replace, of_stream=True)
    if columns is None:
        raise cursor.error("expected columns, or AS SELECT", hint=f"{COLUMNS_EXAMPLE} WITH ('topic' = '{name}')")
    schema = make_schema(columns, options, place)
    return CreateStream(
        **base, name=name, schema=schema, options=options, if_not_exists=missing_only, or_replace=or_replace
    )


def _start(cursor: Cursor, base: _Base) -> StartJob:
    cursor.expect("START")
    cursor.expect("JOB", hint=f"for example {_JOB_EXAMPLE}")
    name = cursor.name("a job", example=_JOB_EXAMPLE)
    options = cursor.options() if cursor.accept("WITH") else {}
    return _job_as(cursor, base, name, options)


def _job_as(
    cursor: Cursor,
    base: _Base,
    name: str,
    options: dict[str, str],
    *,
    or_replace: bool = False,
    of_stream: bool = False,
) -> StartJob:
    """``AS SELECT … [WITH (…)]``, with the options that stood before it; a stream's 'topic' is the job's output."""
    cursor.expect("AS", hint=f"for example {_JOB_EXAMPLE}")
    query, options = _query_with_options(cursor, options)
    if of_stream and _STREAM_TOPIC_OPTION in options and OUTPUT_OPTION not in options:
        options[OUTPUT_OPTION] = options.pop(_STREAM_TOPIC_OPTION)
    output = options.get(OUTPUT_OPTION, name)
    return StartJob(**base, name=name, query=query, output=output, options=options, or_replace=or_replace)


def _query_with_options(cursor: Cursor, options: dict[str, str]) -> tuple[Query, dict[str, str]]:
    start = cursor.place()
    query, tail = read_query(cursor)
    for key in tail.options or {}:
        if key in options:
            raise ParseError(f"the option '{key}' is given before the query and after it", place=start)
    return query, {**options, **(tail.options or {})}


def _insert(cursor: Cursor, base: _Base) -> StartJob:
    example = "INSERT INTO alerts SELECT * FROM market_data WHERE price > 100"
    cursor.expect("INSERT")
    cursor.expect("INTO", hint=f"for example {example}")
    name = cursor.name("a topic", example=example)
    if cursor.sees("(") and cursor.peek(1).word not in ("SELECT", "WITH", "FROM", "VALUES"):
        raise UnsupportedError(
            "INSERT INTO takes no column list", hint="name the columns in the SELECT with AS", place=cursor.place()
        )
    if cursor.sees("VALUES"):
        raise UnsupportedError(
            "INSERT INTO … VALUES is not supported",
            hint=f"produce rows from Python: s.produce({name!r}, rows)",
            place=cursor.place(),
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
    return StartJob(**base, name=f"insert_into_{name}", query=query, output=name, options=options)


def _control(cursor: Cursor, base: _Base) -> ControlJob:
    action = cursor.next().text.lower()
    example = f"{action.upper()} JOB spikes"
    cursor.expect("JOB", hint=f"for example {example}")
    return ControlJob(**base, action=action, name=cursor.name("a job", example=example))


def _drop(cursor: Cursor, base: _Base) -> Statement:
    kind = cursor.peek(1).word
    if kind == "JOB":
        return _control(cursor, base)
    if kind != "STREAM":
        raise _refuse_kind(cursor, "DROP", "STREAM", "JOB", ahead=1)
    cursor.expect("DROP", "STREAM")
    if_exists = cursor.accept("IF", "EXISTS")
    return DropStream(**base, name=cursor.name("a stream", example="DROP STREAM market_data"), if_exists=if_exists)


def _refuse_kind(cursor: Cursor, verb: str, *kinds: str, ahead: int) -> SqlError:
    """CREATE or DROP of something else: refused by name when it is known SQL, near words otherwise."""
    known = refuse(cursor)
    if isinstance(known, UnsupportedError):
        return known
    token = cursor.peek(ahead)
    hint = did_you_mean(token.text, kinds) or f"for example {verb} STREAM market_data"
    return cursor.error(f"expected {' or '.join(kinds)} after {verb}", hint=hint, token=token)


def _show(cursor: Cursor, base: _Base) -> Show:
    cursor.expect("SHOW")
    token = cursor.next()
    if token.word not in SHOWS:
        hint = did_you_mean(token.text, SHOWS) or f"SHOW {', '.join(SHOWS)}"
        raise cursor.error("expected what to show", hint=hint, token=token)
    return Show(**base, what=token.word)


def _describe(cursor: Cursor, base: _Base) -> Describe:
    cursor.next()
    if cursor.sees_any(("STREAM", "TABLE", "TOPIC", "JOB")) and cursor.peek(1).kind in ("word", "quoted"):
        cursor.next()
    return Describe(**base, name=cursor.name("a stream, topic or job", example="DESCRIBE market_data"))


def _explain(cursor: Cursor, base: _Base) -> Explain:
    cursor.expect("EXPLAIN")
    analyze = cursor.accept("ANALYZE")
    if cursor.sees("JOB") and cursor.peek(1).kind in ("word", "quoted"):
        cursor.next()
        return Explain(**base, target=cursor.name("a job", example="EXPLAIN JOB spikes"), analyze=analyze)
    if not cursor.sees_any(("START", "CREATE", "INSERT", *QUERY_WORDS)):
        raise cursor.error("expected what to explain", hint="EXPLAIN SELECT …, EXPLAIN START JOB … or EXPLAIN JOB j")
    first = cursor.peek()
    text = cursor.text[first.start : cursor.tokens[cursor.size].end]
    inner = _statement(cursor, _Base(text=text, place=cursor.place(first), annotations=base["annotations"]))
    if not isinstance(inner, StartJob | Pull | Push):
        raise UnsupportedError(
            "only a query or a job can be explained", hint="write DESCRIBE s", place=cursor.place(first)
        )
    return Explain(**base, target=inner, analyze=analyze)


def _set(cursor: Cursor, base: _Base) -> SetOption:
    example = "for example SET join.within = '2s'"
    cursor.expect("SET")
    key = cursor.dotted_key(example=example)
    if not cursor.accept("=") and not cursor.accept("TO"):
        raise cursor.error("expected =", hint=example)
    return SetOption(**base, key=key.lower(), value=cursor.option_value())


def _bare_query(cursor: Cursor, base: _Base) -> Pull | Push:
    start = cursor.place()
    query, tail = read_query(cursor)
    if tail.options is not None:
        raise UnsupportedError(
            "WITH (…) options belong to a job", hint=f"write {_JOB_EXAMPLE}, or SET k = v before it", place=start
        )
    if query.emit is not None:
        return Push(**base, query=query)
    return Pull(**base, query=query, names=topics_read(query.tree))


_READERS: dict[str, Callable[[Cursor, _Base], Statement]] = {
    "CREATE": _create,
    "START": _start,
    "INSERT": _insert,
    "DROP": _drop,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "EXPLAIN": _explain,
    "SET": _set,
    **dict.fromkeys(ACTIONS, _control),
}
