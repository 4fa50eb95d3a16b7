"""Streaming spellings that no SQL parser knows, edited in the token list so that sqlglot can read the rest.

After the edits a window clause is ``CLUSTER BY VELO_CLAUSE_TUMBLING(…)`` (a clause that sqlglot attaches to the right
SELECT wherever it stands, and that DuckDB does not have), a table function is a plain call in FROM, and
``timestamp()`` is ``VELO_NOW()``. `windows` makes the canonical form out of the tree.
"""

from __future__ import annotations

import bisect

from velostream_nb.core.errors import ParseError, UnsupportedError
from velostream_nb.sql.cursor import Cursor, is_word
from velostream_nb.sql.dialect import NOW, Edits
from velostream_nb.sql.durations import UNITS, interval_sql, parse_duration_us
from velostream_nb.sql.lex import Token, quote
from velostream_nb.sql.literals import literal, param_value

CLAUSE_PREFIX = "VELO_CLAUSE_"
CLAUSE_KINDS = ("TUMBLING", "TUMBLE", "SLIDING", "HOPPING", "HOP", "SESSION", "CUMULATE", "CUMULATING")
SESSION_CALL = "VELO_SESSION_CALL"
"""SESSION( is a keyword to sqlglot, so the call goes by this name until `windows` reads it."""

KEYS_CALL = "VELO_KEYS"
"""Holds the keys of ``SESSION(TABLE t PARTITION BY k, …)``."""

PLACEHOLDER_HINT = "write $name, and pass the value by that name"

# names of columns to DuckDB, words of statements or types to sqlglot: quoted where no bracket follows
_QUOTED = (
    "FORCE", "GRANT", "REVOKE", "INSERT", "DROP", "ALTER", "INSTALL", "ROLLBACK", "LOCK", "MAP", "LIST",
)  # fmt: skip
_TABLE_FUNCTIONS = ("TUMBLE", "HOP", "SESSION", "CUMULATE")
_GLUED = ("SIZE", "ADVANCE", "BY", "GAP", "STEP", "MAX")
_DANGLING = (
    "SELECT", "FROM", "WHERE", "GROUP", "ORDER", "BY", "HAVING", "QUALIFY", "JOIN", "ON", "USING", "AND", "OR", "NOT",
    "AS", "UNION", "INTERSECT", "EXCEPT", "IN", "BETWEEN", "LIKE", "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "IS",
    "LIMIT",
)  # fmt: skip


def edit_query(cursor: Cursor, start: int, stop: int) -> Edits:
    """Edits for the query in ``cursor.tokens[start:stop]``.

    Raises:
        ParseError: what sqlglot would let through silently (doubled commas, a clause without its rest), a malformed
            window clause.
        BindError: a ``$name`` without a value.
    """
    tokens = cursor.tokens
    edits = Edits(cursor.text, tokens[start].start, tokens[stop - 1].end)
    first = bisect.bisect_left(cursor.blanks, (edits.start, 0))
    for low, high in cursor.blanks[first : bisect.bisect_left(cursor.blanks, (edits.end, 0))]:
        edits.replace(low, high, "")
    _check_commas(cursor, start, stop)
    _check_last(cursor, stop)
    for index in range(start, stop):
        _edit_token(cursor, index, edits)
    return edits


def _edit_token(cursor: Cursor, index: int, edits: Edits) -> None:
    tokens, token = cursor.tokens, cursor.tokens[index]
    if token.kind == "duration":
        edits.replace(token.start, token.end, _duration(cursor, index))
    elif token.kind in ("dollar", "escaped"):
        edits.replace(token.start, token.end, quote(token.value))
    elif token.kind == "param":
        place = cursor.place(token)
        name = token.text[1:]
        value = param_value(name, cursor.params, place)
        edits.replace(token.start, token.end, literal(value, name=name, place=place))
    elif is_word(tokens, index, "?", "$"):
        raise UnsupportedError(
            "a placeholder of this spelling is not supported", hint=PLACEHOLDER_HINT, place=cursor.place(token)
        )
    elif token.kind == "word" and not is_word(tokens, index - 1, ".") and is_word(tokens, index + 1, "("):
        _edit_call(cursor, index, edits)
    elif token.word == "WINDOW" and is_word(tokens, index + 1, *CLAUSE_KINDS) and is_word(tokens, index + 2, "("):
        edits.replace(token.start, tokens[index + 1].start, "CLUSTER BY")
        _edit_clause(cursor, index + 1, edits)
    elif is_word(tokens, index, *_QUOTED) and not is_word(tokens, index + 1, "{", "INTO"):
        edits.replace(token.start, token.end, f'"{token.text}"')


def _edit_call(cursor: Cursor, index: int, edits: Edits) -> None:
    """A word with an opening bracket after it."""
    tokens, token = cursor.tokens, cursor.tokens[index]
    close = cursor.pairs[index + 1]
    in_clause = is_word(tokens, index - 1, "WINDOW") and token.word in CLAUSE_KINDS
    if token.word == "TIMESTAMP" and close == index + 2:
        edits.replace(token.start, tokens[close].end, f"{NOW}()")
    elif token.word == "TABLE" and is_word(tokens, index + 2, *_TABLE_FUNCTIONS) and is_word(tokens, index + 3, "("):
        edits.replace(token.start, tokens[index + 1].end, "")
        edits.replace(tokens[close].start, tokens[close].end, "")
    elif token.word in _TABLE_FUNCTIONS and not in_clause:
        if token.word == "SESSION":
            edits.replace(token.start, token.end, SESSION_CALL)
        _edit_table_function(cursor, index, close, edits)


def _edit_table_function(cursor: Cursor, index: int, close: int, edits: Edits) -> None:
    """``TUMBLE(TABLE t, …)`` and ``DATA => TABLE t``: the word TABLE goes; PARTITION BY becomes an argument."""
    tokens = cursor.tokens
    for at in range(index + 2, close):
        if is_word(tokens, at, "TABLE") and (at == index + 2 or is_word(tokens, at - 1, "=>")):
            edits.replace(tokens[at].start, tokens[at].end, "")
        if is_word(tokens, at, "PARTITION") and is_word(tokens, at + 1, "BY"):
            comma = _comma_before_descriptor(tokens, at, close)
            if comma is None:
                raise cursor.error(
                    "PARTITION BY in a window must be followed by DESCRIPTOR(time)",
                    hint="write SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTE)",
                    token=tokens[at],
                )
            edits.replace(tokens[at].start, tokens[at + 1].end, f", {KEYS_CALL}(")
            edits.replace(tokens[comma].start, tokens[comma].start, ")")


def _comma_before_descriptor(tokens: list[Token], start: int, close: int) -> int | None:
    for at in range(start, close):
        if is_word(tokens, at, ",") and (is_word(tokens, at + 1, "DESCRIPTOR") or is_word(tokens, at + 2, "=>")):
            return at
    return None


def _edit_clause(cursor: Cursor, index: int, edits: Edits) -> None:
    """``TUMBLING(…)`` of a WINDOW clause, with ksqlDB's ``SIZE 1 MINUTE, ADVANCE BY 30 SECONDS`` inside."""
    tokens, token = cursor.tokens, cursor.tokens[index]
    edits.replace(token.start, token.end, CLAUSE_PREFIX + token.word)
    close = cursor.pairs[index + 1]
    at = index + 2
    while at < close:
        if is_word(tokens, at, "GRACE", "RETENTION"):
            raise cursor.error(
                f"{tokens[at].word} is not part of a window here",
                hint="set how long to wait for late rows with 'watermark.delay' on the stream",
                token=tokens[at],
            )
        first = at
        while is_word(tokens, at, *_GLUED) and tokens[at + 1].kind in ("number", "duration", "word"):
            at += 1
        if at > first:
            edits.replace(tokens[first].start, tokens[at].start, "")
        if tokens[at].kind == "number" and tokens[at + 1].text.lower() in UNITS:
            place = cursor.place(tokens[at])
            length = interval_sql(parse_duration_us(f"{tokens[at].text} {tokens[at + 1].text}", place=place))
            edits.replace(tokens[at].start, tokens[at + 1].end, length)
        at = _next_argument(cursor, at, close)


def _next_argument(cursor: Cursor, at: int, close: int) -> int:
    """Index after the next comma at this depth; `close` when there is none."""
    while at < close and not is_word(cursor.tokens, at, ","):
        at = cursor.pairs.get(at, at) + 1
    return at + 1


def _duration(cursor: Cursor, index: int) -> str:
    """``5m`` as an INTERVAL; ``INTERVAL 5m`` is one already but for its spelling."""
    token = cursor.tokens[index]
    written = interval_sql(parse_duration_us(token.text, place=cursor.place(token)))
    return written.removeprefix("INTERVAL ") if is_word(cursor.tokens, index - 1, "INTERVAL") else written


def _check_commas(cursor: Cursor, start: int, stop: int) -> None:
    """Refuse ``a,, b``, which sqlglot reads as ``a, b``; a single comma may close a list, in DuckDB too."""
    for index in range(start, stop):
        if is_word(cursor.tokens, index, ",") and (
            index == start or is_word(cursor.tokens, index - 1, ",", "(", "[", "{", "SELECT", "FROM", "BY", "DISTINCT")
        ):
            token = cursor.tokens[index]
            raise ParseError(
                "nothing stands before this comma",
                hint="remove it, or write what is missing",
                place=cursor.place(token),
            )


def _check_last(cursor: Cursor, stop: int) -> None:
    """Refuse a keyword at the end, which sqlglot takes for an alias, or forgets."""
    token = cursor.tokens[stop - 1]
    if token.word in _DANGLING and not is_word(cursor.tokens, stop - 2, ".", "AS"):
        raise ParseError(f"something is missing after {token.word}", place=cursor.place(token))
