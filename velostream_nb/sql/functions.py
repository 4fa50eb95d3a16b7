"""The words of streaming SQL with their signatures: what SHOW FUNCTIONS lists and completion offers.

DuckDB's own functions are not here; the session asks DuckDB for them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["statement", "clause", "window", "function", "column"]


class Word(NamedTuple):
    """One word: `name` is what completion inserts, `signature` how it is written, `help` one line."""

    name: str
    kind: Kind
    signature: str
    help: str


WORDS: tuple[Word, ...] = (
    Word(
        "CREATE STREAM", "statement", "CREATE STREAM s (col TYPE, …) WITH ('topic' = 't')", "Declare a topic's columns."
    ),
    Word(
        "CREATE TABLE",
        "statement",
        "CREATE TABLE t (k TYPE, …, PRIMARY KEY (k))",
        "The latest row per key of a topic, with deletes.",
    ),
    Word(
        "CREATE TABLE FROM",
        "statement",
        "CREATE TABLE t [(PRIMARY KEY (k))] FROM 'file.csv'",
        "The rows of a file, read once.",
    ),
    Word("CREATE VIEW", "statement", "CREATE VIEW v [(names)] AS SELECT …", "A query by name."),
    Word("CREATE STREAM AS", "statement", "CREATE STREAM s AS SELECT …", "Start a job that writes the topic s."),
    Word(
        "START JOB",
        "statement",
        "START [OR REPLACE] JOB j AS SELECT … WITH ('output.topic' = 't')",
        "Start a query that never ends.",
    ),
    Word("ALTER JOB", "statement", "ALTER JOB j SET name = value", "Change a $name of a job that runs."),
    Word("INSERT INTO", "statement", "INSERT INTO t SELECT …", "Start a job that writes into the topic t."),
    Word("INSERT INTO VALUES", "statement", "INSERT INTO t [(cols)] VALUES (…), (…)", "Append rows."),
    Word("STOP JOB", "statement", "STOP JOB j", "Stop a job; its output stays."),
    Word("PAUSE JOB", "statement", "PAUSE JOB j", "Hold a job where it is."),
    Word("RESUME JOB", "statement", "RESUME JOB j", "Let a paused job go on."),
    Word("RESTART JOB", "statement", "RESTART JOB j", "Start a job again from the beginning of its inputs."),
    Word("DROP JOB", "statement", "DROP JOB j", "Stop a job and forget it."),
    Word("DROP STREAM", "statement", "DROP STREAM [IF EXISTS] s", "Forget a stream and remove its topic."),
    Word("DROP TABLE", "statement", "DROP TABLE [IF EXISTS] t", "Forget a table and remove its topic."),
    Word("DROP VIEW", "statement", "DROP VIEW [IF EXISTS] v", "Forget a view."),
    Word("SHOW", "statement", "SHOW JOBS | STREAMS | TABLES | VIEWS | TOPICS | FUNCTIONS", "List what there is."),
    Word("DESCRIBE", "statement", "DESCRIBE x", "Columns of a stream, table, view or topic, or what a job does."),
    Word(
        "EXPLAIN",
        "statement",
        "EXPLAIN [ANALYZE] [(FORMAT json)] SELECT … | START JOB … | JOB j",
        "The plan of a query or job.",
    ),
    Word("SET", "statement", "SET k = v", "Set an option for the jobs started from now on."),
    Word(
        "EMIT CHANGES",
        "clause",
        "SELECT … EMIT CHANGES [LIMIT n]",
        "Show every change as it happens (default without window).",
    ),
    Word("EMIT FINAL", "clause", "SELECT … EMIT FINAL", "One row when a window closes (default with a window)."),
    Word("WITH", "clause", "… WITH ('output.topic' = 't', 'emit.every' = '1s')", "Options of a stream or job."),
    Word("QUALIFY", "clause", "QUALIFY lag(x) OVER (…) < x", "Filter by a window function, after it is computed."),
    Word(
        "ASOF JOIN",
        "clause",
        "a ASOF JOIN b ON a.k = b.k AND a.ts >= b.ts",
        "The latest row of b at or before each row of a.",
    ),
    Word(
        "WATERMARK FOR",
        "clause",
        "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND",
        "Event time, and how late rows may come.",
    ),
    Word("WINDOW TUMBLING", "window", "WINDOW TUMBLING([ts,] size)", "Windows of one size, side by side."),
    Word(
        "WINDOW SLIDING", "window", "WINDOW SLIDING([ts,] size, slide)", "Windows of one size that start every slide."
    ),
    Word("WINDOW HOPPING", "window", "WINDOW HOPPING([ts,] size, slide)", "The same as SLIDING."),
    Word(
        "WINDOW SESSION",
        "window",
        "WINDOW SESSION([ts,] gap [, key …])",
        "Rows of a key with no pause longer than the gap.",
    ),
    Word(
        "TUMBLE",
        "window",
        "TUMBLE(TABLE s, DESCRIPTOR(ts), size [, offset])",
        "In FROM; or TUMBLE(ts, size) in GROUP BY.",
    ),
    Word("HOP", "window", "HOP(TABLE s, DESCRIPTOR(ts), slide, size)", "In FROM; or HOP(ts, slide, size) in GROUP BY."),
    Word(
        "CUMULATE",
        "window",
        "CUMULATE(TABLE s, DESCRIPTOR(ts), step, size)",
        "Windows that grow by a step up to a size.",
    ),
    Word(
        "SESSION",
        "window",
        "SESSION(TABLE s [PARTITION BY k], DESCRIPTOR(ts), gap)",
        "In FROM; or SESSION(ts, gap) in GROUP BY.",
    ),
    Word(
        "TUMBLE_START", "function", "TUMBLE_START(ts, size)", "The same as window_start; also HOP_START, SESSION_START."
    ),
    Word("TUMBLE_END", "function", "TUMBLE_END(ts, size)", "The same as window_end; also HOP_END, SESSION_END."),
    Word(
        "timestamp()",
        "function",
        "timestamp() -> TIMESTAMP",
        "The stream's time; now() and current_timestamp are the same.",
    ),
    Word(
        "wall_clock()",
        "function",
        "wall_clock() -> TIMESTAMP",
        "The wall's time, one value a tick.",
    ),
    Word("window_start", "column", "window_start TIMESTAMP", "Start of the row's window; rows at it are inside."),
    Word("window_end", "column", "window_end TIMESTAMP", "End of the row's window; rows at it are outside."),
)


def functions() -> tuple[Word, ...]:
    """What SHOW FUNCTIONS lists: windows, functions and the columns they give."""
    return tuple(word for word in WORDS if word.kind in ("window", "function", "column"))


def names() -> tuple[str, ...]:
    """Every word completion offers, sorted without regard to case."""
    return tuple(sorted((word.name for word in WORDS), key=str.lower))
