"""Text to typed statements: `parse` is what everybody calls.

One statement goes `split` → `Cursor` → a reader (below, in `parse_create` or `parse_jobs`); a query in it goes
`spellings` (edits in the tokens) → `dialect` (sqlglot) → `windows` (canonical form). Places in errors and trees are
those of the user's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from velostream_nb.core.errors import SqlError, UnsupportedError, did_you_mean
from velostream_nb.sql.cursor import Cursor
from velostream_nb.sql.dialect import node_place, to_duckdb
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.parse_create import read_create, read_drop
from velostream_nb.sql.parse_jobs import (
    JOB_EXAMPLE,
    Base,
    number_inserts,
    read_alter,
    read_control,
    read_insert,
    read_start,
)
from velostream_nb.sql.query import QUERY_WORDS, read_query, topics_read
from velostream_nb.sql.refused import refuse
from velostream_nb.sql.split import split
from velostream_nb.sql.statements import Describe, Explain, Pull, Push, Script, SetOption, Show, StartJob, Statement

__all__ = ["node_place", "parse", "parse_duration_us", "to_duckdb"]

SHOWS = ("FUNCTIONS", "JOBS", "STREAMS", "TABLES", "TOPICS", "VIEWS")
ACTIONS = ("STOP", "PAUSE", "RESUME", "RESTART")
_NAMED = ("STREAM", "TABLE", "VIEW", "TOPIC", "JOB")
_FORMS = ("text", "json")


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
        base = Base(text=piece.text, place=piece.place, annotations=piece.annotations)
        try:
            statements.append(_statement(cursor, base))
        except RecursionError as error:
            raise SqlError("the statement is nested too deeply", place=piece.place) from error
        cursor.expect_end()
    return Script(tuple(number_inserts(statements)), header)


def _statement(cursor: Cursor, base: Base) -> Statement:
    reader = _READERS.get(cursor.peek().word)
    if reader is not None:
        return reader(cursor, base)
    if cursor.sees_any(QUERY_WORDS):
        return _bare_query(cursor, base)
    raise refuse(cursor)


def _show(cursor: Cursor, base: Base) -> Show:
    cursor.expect("SHOW")
    token = cursor.next()
    if token.word not in SHOWS:
        hint = did_you_mean(token.text, SHOWS) or f"SHOW {', '.join(SHOWS)}"
        raise cursor.error("expected what to show", hint=hint, token=token)
    return Show(**base, what=token.word)


def _describe(cursor: Cursor, base: Base) -> Describe:
    cursor.next()
    if cursor.sees_any(_NAMED) and cursor.peek(1).kind in ("word", "quoted"):
        cursor.next()
    return Describe(**base, name=cursor.name("a stream, table, view, topic or job", example="DESCRIBE market_data"))


def _explain(cursor: Cursor, base: Base) -> Explain:
    cursor.expect("EXPLAIN")
    analyze, form = _explain_options(cursor)
    if cursor.sees("JOB") and cursor.peek(1).kind in ("word", "quoted"):
        cursor.next()
        name = cursor.name("a job", example="EXPLAIN JOB spikes")
        return Explain(**base, target=name, analyze=analyze, form=form)
    if not cursor.sees_any(("START", "CREATE", "INSERT", *QUERY_WORDS)):
        raise cursor.error("expected what to explain", hint="EXPLAIN SELECT …, EXPLAIN START JOB … or EXPLAIN JOB j")
    first = cursor.peek()
    text = cursor.text[first.start : cursor.tokens[cursor.size].end]
    inner = _statement(cursor, Base(text=text, place=cursor.place(first), annotations=base["annotations"]))
    if not isinstance(inner, StartJob | Pull | Push):
        raise UnsupportedError(
            "only a query or a job can be explained", hint="write DESCRIBE s", place=cursor.place(first)
        )
    return Explain(**base, target=inner, analyze=analyze, form=form)


def _explain_options(cursor: Cursor) -> tuple[bool, str]:
    """``ANALYZE`` and ``(ANALYZE, FORMAT json)``; a bracket that begins a query is none of these."""
    analyze, form = cursor.accept("ANALYZE"), "text"
    if not (cursor.sees("(") and cursor.peek(1).word in ("FORMAT", "ANALYZE")):
        return analyze, form
    cursor.next()
    while not cursor.accept(")"):
        if cursor.accept("ANALYZE"):
            analyze = True
        else:
            cursor.expect("FORMAT", hint="for example EXPLAIN (FORMAT json) SELECT …")
            cursor.accept("=")
            token = cursor.next()
            form = token.value.lower()
            if form not in _FORMS:
                hint = did_you_mean(form, _FORMS)
                raise cursor.error("EXPLAIN is written as text or json", hint=hint, token=token)
        if not cursor.sees(")"):
            cursor.expect(",", hint="for example EXPLAIN (ANALYZE, FORMAT json) JOB spikes")
    return analyze, form


def _set(cursor: Cursor, base: Base) -> SetOption:
    example = "for example SET join.within = '2s'"
    cursor.expect("SET")
    key = cursor.dotted_key(example=example)
    if not cursor.accept("=") and not cursor.accept("TO"):
        raise cursor.error("expected =", hint=example)
    return SetOption(**base, key=key.lower(), value=cursor.option_value())


def _bare_query(cursor: Cursor, base: Base) -> Pull | Push:
    start = cursor.place()
    query, tail = read_query(cursor)
    if tail.options is not None:
        raise UnsupportedError(
            "WITH (…) options belong to a job", hint=f"write {JOB_EXAMPLE}, or SET k = v before it", place=start
        )
    if query.emit is not None:
        return Push(**base, query=query, params=cursor.given())
    return Pull(**base, query=query, names=topics_read(query.tree))


_READERS: dict[str, Callable[[Cursor, Base], Statement]] = {
    "CREATE": read_create,
    "START": read_start,
    "INSERT": read_insert,
    "DROP": read_drop,
    "SHOW": _show,
    "DESCRIBE": _describe,
    "DESC": _describe,
    "EXPLAIN": _explain,
    "SET": _set,
    "ALTER": read_alter,
    **dict.fromkeys(ACTIONS, read_control),
}
