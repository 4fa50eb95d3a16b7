"""What a text can say: one dataclass a statement. Made by `parse.py`, read by the planner and the session.

A query is kept as a sqlglot tree in *canonical form*. Every streaming spelling is rewritten to it by the parser:

===================================================  ==============================================================
what users write                                     canonical form in the tree
===================================================  ==============================================================
``timestamp()``, and ``now()``/``current_timestamp``   ``VELO_NOW()`` (exp.Anonymous, name upper case)
TUMBLE/HOP/SESSION/CUMULATE as a table function      the plain table in FROM (its alias kept), plus one of the calls
                                                     below as an item of that SELECT's GROUP BY; ``window_start`` and
                                                     ``window_end`` stay columns (dropped from GROUP BY)
``GROUP BY …, TUMBLE(ts, INTERVAL …)`` and so on       the same calls; TUMBLE_START/TUMBLE_END/HOP_START/… become the
                                                     columns window_start / window_end
``WINDOW TUMBLING(ts, 1m)``, ``WINDOW SLIDING(ts, 5m,  the same calls in GROUP BY (SLIDING is HOP)
1m)``, ``WINDOW SESSION(ts, 4h, key)``
===================================================  ==============================================================

Canonical window calls (exp.Anonymous; arguments are a column and integer literals in microseconds):
``VELO_TUMBLE(ts, size, offset)`` · ``VELO_HOP(ts, slide, size, offset)`` · ``VELO_CUMULATE(ts, step, size, offset)`` ·
``VELO_SESSION(ts, gap)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from velostream_nb.core.errors import Place
from velostream_nb.core.schema import StreamSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement.

    Attributes:
        text: exactly as written, without the closing semicolon.
        place: where its first word stands in the whole text.
        annotations: ``-- @name: value`` and ``-- Name: value`` comment lines directly above it.
    """

    text: str
    place: Place
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A SELECT in canonical form.

    Attributes:
        tree: exp.Select, exp.SetOperation or a WITH around them.
        emit: 'final', 'changes' or None when not written.
        limit: the outermost ``LIMIT n`` of a push query (``EMIT CHANGES LIMIT n``), else None and LIMIT stays in tree.
        source: the query's text, for messages; line and column of a tree node's token refer to it (`node_place`).
    """

    tree: exp.Query
    source: str
    emit: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStream(Statement):
    """``CREATE STREAM s (cols) WITH (…)``: declares a topic. Column types are in `schema`; WITH keys in `options`."""

    name: str
    schema: StreamSchema
    options: Mapping[str, str] = field(default_factory=dict)
    if_not_exists: bool = False
    or_replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob(Statement):
    """``START JOB j AS SELECT …``, ``CREATE STREAM j AS SELECT …`` or ``INSERT INTO t SELECT …``.

    Attributes:
        name: the job; for INSERT INTO made from the target (``insert_into_t``).
        output: the topic written: 'output.topic', the target of INSERT, or the name itself.
        options: WITH keys, lower case, as texts.
    """

    name: str
    query: Query
    output: str
    options: Mapping[str, str] = field(default_factory=dict)
    or_replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlJob(Statement):
    """``STOP|PAUSE|RESUME|RESTART|DROP JOB j`` (action lower case)."""

    action: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropStream(Statement):
    """``DROP STREAM s``: forgets the declaration and removes the topic."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Statement):
    """``SHOW JOBS|STREAMS|TABLES|TOPICS|FUNCTIONS`` (what upper case)."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Statement):
    """``DESCRIBE x``: a stream, a topic or a job."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Statement):
    """``EXPLAIN <query or START JOB>`` or ``EXPLAIN JOB j``."""

    target: StartJob | Pull | Push | str
    analyze: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOption(Statement):
    """``SET k = v``."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull(Statement):
    """A bare SELECT: reads what is retained and ends. `names` are the topics it reads (no CTE names)."""

    query: Query
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(Statement):
    """``SELECT … EMIT CHANGES [LIMIT n]``: an unnamed job whose output is shown."""

    query: Query


@dataclass(frozen=True, slots=True)
class Script:
    """A whole text: its statements in order, and the header comments of an application file (``-- Name: …``)."""

    statements: tuple[Statement, ...]
    header: Mapping[str, str] = field(default_factory=dict)
