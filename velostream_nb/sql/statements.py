"""What a text can say: one dataclass a statement. Made by `parse.py`, read by the planner and the session.

A query is kept as a sqlglot tree in *canonical form*. Every streaming spelling is rewritten to it by the parser:

===================================================  ==============================================================
what users write                                     canonical form in the tree
===================================================  ==============================================================
``timestamp()``, and ``now()``/``current_timestamp``   ``VELO_NOW()`` (exp.Anonymous, name upper case)
``wall_clock()``                                       ``VELO_WALL()``: one value a tick, given to the engine
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
``VELO_SESSION(ts, gap)``. The column is NULL for the stream's own time, and ``VELO_WALL()`` for the broker's
(PROCTIME()).
A SELECT without aggregates has the call in FROM, with its table first: ``FROM VELO_HOP(s, ts, slide, size, offset)``.
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
    """``CREATE STREAM s (cols) WITH (…)``: declares a topic. Column types are in `schema`; WITH keys in `options`.

    Attributes:
        table: ``CREATE TABLE``: the topic is read as the latest row per key (`schema.changelog` is 'upsert').
    """

    name: str
    schema: StreamSchema
    options: Mapping[str, str] = field(default_factory=dict)
    if_not_exists: bool = False
    or_replace: bool = False
    table: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTable(Statement):
    """``CREATE TABLE t [(cols)] FROM 'file'``: a reference table, whose rows are read once.

    Attributes:
        file: the path as written.
        file_place: where it stands.
        schema: the declared columns; None: they are told from the file.
        key: the columns of PRIMARY KEY, as written; () for none.
    """

    name: str
    file: str
    file_place: Place
    schema: StreamSchema | None = None
    key: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    if_not_exists: bool = False
    or_replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView(Statement):
    """``CREATE VIEW v [(names)] AS SELECT …``: a query by name, planned where it is used."""

    name: str
    query: Query
    if_not_exists: bool = False
    or_replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartJob(Statement):
    """``START [OR REPLACE] JOB j AS SELECT …``, ``CREATE STREAM j AS SELECT …`` or ``INSERT INTO t SELECT …``.

    Attributes:
        name: the job; for INSERT INTO made from the target: ``insert_into_t``, ``insert_into_t_2`` for a second one in
            the same text. Whoever starts it may choose another number.
        output: the topic written: 'output.topic', the target of INSERT, or the name itself.
        options: WITH keys, lower case, as texts.
        params: the values of its ``$name`` parameters, which ``ALTER JOB`` changes.
        insert: INSERT INTO: nobody gave it its name.
    """

    name: str
    query: Query
    output: str
    options: Mapping[str, str] = field(default_factory=dict)
    or_replace: bool = False
    params: Mapping[str, object] = field(default_factory=dict)
    insert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertRows(Statement):
    """``INSERT INTO t [(columns)] VALUES (…), (…)``.

    Attributes:
        columns: (name as written, its place); () for all, in the order of their declaration.
        rows: one expression a cell; None is DEFAULT, which is NULL.
        places: where each cell stands.
        source: the text that places of the expressions' nodes refer to (`node_place`).
    """

    name: str
    columns: tuple[tuple[str, Place], ...]
    rows: tuple[tuple[exp.Expr | None, ...], ...]
    places: tuple[tuple[Place, ...], ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterJob(Statement):
    """``ALTER JOB j SET name = value [, …]``: new values for parameters of a job, constant expressions.

    Attributes:
        values: by name, the expression and where the name stands.
    """

    name: str
    values: Mapping[str, tuple[exp.Expr, Place]]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlJob(Statement):
    """``STOP|PAUSE|RESUME|RESTART|DROP JOB j`` (action lower case)."""

    action: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Statement):
    """``DROP STREAM|TABLE|VIEW s``: forgets the declaration, and removes the topic that it names.

    Attributes:
        kind: 'stream', 'table' or 'view'.
    """

    name: str
    kind: str = "stream"
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Statement):
    """``SHOW JOBS|STREAMS|TABLES|VIEWS|TOPICS|FUNCTIONS`` (what upper case)."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Statement):
    """``DESCRIBE x``: a stream, a table, a view, a topic or a job."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Statement):
    """``EXPLAIN <query or START JOB>`` or ``EXPLAIN JOB j``.

    Attributes:
        target: what is explained; the name of a job.
        form: 'text' or 'json'.
    """

    target: StartJob | Pull | Push | str
    analyze: bool = False
    form: str = "text"


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
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """A whole text: its statements in order, and the header comments of an application file (``-- Name: …``)."""

    statements: tuple[Statement, ...]
    header: Mapping[str, str] = field(default_factory=dict)
