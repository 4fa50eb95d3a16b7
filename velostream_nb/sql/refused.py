"""Statements that are SQL but not ours, and what to write instead."""

from __future__ import annotations

from velostream_nb.core.errors import ParseError, UnsupportedError, did_you_mean
from velostream_nb.sql.cursor import Cursor

_NO_FILES = "read and write files with: velo run APP.sql --source TOPIC=FILE --sink TOPIC=FILE"
_NO_ROWS = "a stream's rows never change: filter or replace them in a job (START JOB j AS SELECT …)"
_NO_EXTENSIONS = "extensions are not loaded from SQL; json, parquet and icu are built in"
_NO_TEMP = "leave TEMP out: streams, tables and views last as long as the session"
_NO_TRANSACTIONS = "leave it out: every tick is published in one transaction"

_STATEMENTS = {
    "ALTER": "ALTER JOB j SET name = value changes a parameter; declare the rest again: CREATE OR REPLACE STREAM s (…)",
    "ATTACH": _NO_FILES, "DETACH": _NO_FILES, "COPY": _NO_FILES, "EXPORT": _NO_FILES, "IMPORT": _NO_FILES,
    "INSTALL": _NO_EXTENSIONS, "LOAD": _NO_EXTENSIONS,
    "PRAGMA": "write SET k = v", "RESET": "write SET k = v with the default", "USE": "name the stream itself",
    "UPDATE": _NO_ROWS, "DELETE": _NO_ROWS, "TRUNCATE": "write DROP STREAM s, and declare it again",
    "MERGE": _NO_ROWS, "UPSERT": _NO_ROWS, "REPLACE": _NO_ROWS,
    "BEGIN": _NO_TRANSACTIONS, "COMMIT": _NO_TRANSACTIONS, "ROLLBACK": _NO_TRANSACTIONS, "ABORT": _NO_TRANSACTIONS,
    "CHECKPOINT": _NO_TRANSACTIONS,
    "CALL": "write SELECT … FROM …", "EXECUTE": "write the query itself, with $name for values",
    "PREPARE": "write the query itself, with $name for values", "DEALLOCATE": "leave it out",
    "VACUUM": "leave it out: retention removes old rows", "ANALYZE": "write EXPLAIN ANALYZE JOB j",
    "PIVOT": "write max(x) FILTER (WHERE k = 'a') AS a in a SELECT", "UNPIVOT": "write a UNION ALL of SELECTs",
    "SUMMARIZE": "write SELECT min(x), max(x), avg(x) FROM s", "TABLE": "write SELECT * FROM s",
    "GRANT": "access is by the server's token", "REVOKE": "access is by the server's token",
    "COMMENT": "write -- Name: value above the statement", "DEPLOY": "write START JOB j AS SELECT …",
    "LIST": "write SHOW JOBS, STREAMS or TOPICS", "PRINT": "write SELECT * FROM t EMIT CHANGES",
    "TERMINATE": "write STOP JOB j", "KILL": "write STOP JOB j", "DECLARE": "pass values as $name",
    "CREATE SOURCE": "write CREATE STREAM s (…) WITH (…)", "CREATE SINK": "write START JOB j AS SELECT …",
    "CREATE JOB": "write START JOB j AS SELECT …", "CREATE TOPIC": "write CREATE STREAM s (…): it makes the topic",
    "CREATE MATERIALIZED VIEW": "write CREATE STREAM v AS SELECT …, a job that keeps its output up to date",
    "DROP MATERIALIZED VIEW": "write DROP JOB v", "CREATE TEMP TABLE": _NO_TEMP, "CREATE TEMPORARY TABLE": _NO_TEMP,
    "CREATE TEMP VIEW": _NO_TEMP, "CREATE TEMPORARY VIEW": _NO_TEMP, "CREATE TEMP": _NO_TEMP,
    "CREATE TEMPORARY": _NO_TEMP,
    "DROP TOPIC": "write DROP STREAM s: it removes the topic too",
    "CREATE FUNCTION": "write the expression in the SELECT", "CREATE MACRO": "write the expression in the SELECT",
    "CREATE INDEX": "leave it out: jobs keep the state they need", "CREATE SCHEMA": "names have no schema",
    "CREATE SECRET": "give credentials to velo.connect(…)", "CREATE TYPE": "write the type in the column",
    "CREATE SEQUENCE": "number rows with row_number() OVER (ORDER BY ts)", "CREATE DATABASE": "names have no schema",
    "DROP INDEX": "there are no indexes", "DROP SCHEMA": "names have no schema",
}  # fmt: skip

FIRST_WORDS = (
    "SELECT", "WITH", "FROM", "VALUES", "CREATE", "START", "INSERT", "STOP", "PAUSE", "RESUME", "RESTART", "DROP",
    "SHOW", "DESCRIBE", "EXPLAIN", "SET", "ALTER",
)  # fmt: skip


def refuse(cursor: Cursor) -> ParseError | UnsupportedError:
    """The error for a statement that none of our readers takes: known SQL by name, else near words."""
    words: list[str] = []
    for ahead in range(5):
        if not (word := cursor.peek(ahead).word):
            break
        if word not in ("OR", "REPLACE") or not words:
            words.append(word)
    place = cursor.place()
    for count in range(min(3, len(words)), 0, -1):
        what = " ".join(words[:count])
        if (hint := _STATEMENTS.get(what)) is None:
            continue
        return UnsupportedError(f"{what} is not a statement of streaming SQL", hint=hint, place=place)
    first = cursor.peek()
    if first.kind != "word":
        return cursor.error("expected a statement", hint=f"a statement begins with {', '.join(FIRST_WORDS)}")
    hint = did_you_mean(first.text, FIRST_WORDS) or f"a statement begins with {', '.join(FIRST_WORDS)}"
    return ParseError(f"unknown statement {first.text!r}", hint=hint, place=place)
